//! What makes a graph wrong, told with the place in the user's code, before anything is contacted.

use super::{GlobalTable, Graph, Kind, NodeSpec, TopicRef};
use crate::config::JobConfig;
use crate::rules;
use std::collections::BTreeSet;

/// Checks what can be seen from the nodes alone.
pub(super) fn check(nodes: &[NodeSpec], global_tables: &[GlobalTable]) -> Vec<String> {
    let mut errors = Vec::new();
    if !nodes.iter().any(|n| matches!(n.kind, Kind::Source(_))) {
        errors
            .push("the topology reads no topic; begin with `builder.stream(\"topic\")`".to_owned());
    }
    for (at, node) in nodes.iter().enumerate() {
        if let Kind::Source(TopicRef::External(topic)) | Kind::Sink(TopicRef::External(topic)) =
            &node.kind
            && let Err(reason) = topic_name(topic)
        {
            errors.push(format!("{}: {reason}", node.at));
        }
        if node.kind == Kind::Operator("child") && node.parents.is_empty() {
            errors.push(format!(
                "{}: no processor is connected with this child; name it in `process_with(..)`",
                node.at
            ));
        }
        if let Kind::Sink(TopicRef::External(topic)) = &node.kind {
            errors.extend(loops(nodes, node, topic));
        }
        let earlier = nodes.get(..at).unwrap_or_default();
        errors.extend(table_read_again(earlier, node));
    }
    for table in global_tables {
        if let Err(reason) = topic_name(&table.topic) {
            errors.push(format!("{}: {reason}", table.at));
        }
        errors.extend(read_twice(nodes, global_tables, table));
    }
    errors
}

/// A topic that was read before, if it is a table here or there (Kafka Streams throws a `TopologyException`).
fn table_read_again(earlier: &[NodeSpec], node: &NodeSpec) -> Option<String> {
    let (topic, is_table) = read_topic(node)?;
    earlier.iter().find_map(|other| {
        let (other_topic, is_other_table) = read_topic(other)?;
        if !is_table && !is_other_table {
            return None;
        }
        let reason = rules::table_read_once(other_topic, topic).err()?;
        Some(format!(
            "{}: {reason} (it is read at {} as well)",
            node.at, other.at
        ))
    })
}

/// The topic of a source, and whether it is a table: that has a store.
fn read_topic(node: &NodeSpec) -> Option<(&str, bool)> {
    match &node.kind {
        Kind::Source(TopicRef::External(topic)) => Some((topic, !node.stores.is_empty())),
        _ => None,
    }
}

/// A global table whose topic is read in another way as well: two would own what comes of it.
fn read_twice(
    nodes: &[NodeSpec],
    global_tables: &[GlobalTable],
    table: &GlobalTable,
) -> Option<String> {
    let reads = |node: &&NodeSpec| matches!(&node.kind, Kind::Source(TopicRef::External(topic)) if *topic == table.topic);
    let stream = nodes.iter().find(reads).map(|node| node.at);
    let is_other = |other: &&GlobalTable| other.topic == table.topic && other.at != table.at;
    let global = || global_tables.iter().find(is_other).map(|other| other.at);
    let other = stream.or_else(global)?;
    Some(format!(
        "{}: the topic `{}` is read as a global table, and it is read at {other} as well; read it once",
        table.at, table.topic
    ))
}

/// A sink whose topic is read as well.
fn loops(nodes: &[NodeSpec], sink: &NodeSpec, topic: &str) -> Option<String> {
    nodes.iter().find_map(|node| match &node.kind {
        Kind::Source(TopicRef::External(source)) => {
            let reason = rules::not_source_and_sink(source, topic).err()?;
            Some(format!("{}: {reason} (it is read at {})", sink.at, node.at))
        }
        _ => None,
    })
}

/// Dead letters that would be read again, or mixed with output. Apart from [`check`], since a deployment may choose their
/// topics.
pub(super) fn check_dead_letters(graph: &Graph, config: &JobConfig) -> Vec<String> {
    let broken = |dead_letter: &str| {
        let as_source = |source: &str| rules::not_source_and_dead_letter(source, dead_letter).err();
        let as_sink = |sink: &str| rules::not_sink_and_dead_letter(sink, dead_letter).err();
        let sources = graph.topics.iter();
        let sinks = graph.sink_topics.iter();
        let reasons = sources
            .filter_map(|topic| as_source(&topic.name))
            .chain(sinks.filter_map(|topic| as_sink(&topic.name)));
        reasons.map(|reason| reason.to_string()).collect::<Vec<_>>()
    };
    // One topic may serve several classes.
    let dead_letters: BTreeSet<&str> = config.dead_letter_topics().collect();
    dead_letters.into_iter().flat_map(broken).collect()
}

pub(super) fn topic_name(name: &str) -> Result<(), String> {
    rules::topic(name).map_err(|reason| reason.to_string())
}

/// What is kept under a name becomes a topic of that name.
pub(super) fn node_name(name: &str) -> Result<(), String> {
    rules::topic(name)
        .map_err(|reason| format!("an operator's name has to be legal as a topic's: {reason}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::Error;
    use crate::config::ErrorPolicy;
    use crate::prelude::*;

    fn error(builder: &TopologyBuilder) -> String {
        builder.build().check().unwrap_err().to_string()
    }

    #[test]
    fn a_topology_that_reads_nothing_is_an_error() {
        assert!(error(&TopologyBuilder::new("app")).contains("reads no topic"));
    }

    #[test]
    fn an_output_that_nobody_reads_is_fine() {
        let builder = TopologyBuilder::new("app");
        let _ = builder.stream::<Keyless, str>("in");
        builder.build().check().unwrap();
    }

    #[test]
    fn a_loop_is_an_error_with_both_places() {
        let builder = TopologyBuilder::new("app");
        let line = line!() + 1;
        let again = builder.stream::<Keyless, str>("again");
        again.to("again");
        let error = error(&builder);
        assert!(
            error.starts_with(&format!("{}:{}:", file!(), line + 1)),
            "{error}"
        );
        assert!(
            error.contains("`again`") && error.contains(&format!("check.rs:{line}:")),
            "{error}"
        );
    }

    #[test]
    fn a_tables_topic_that_is_read_again_is_an_error_with_both_places() {
        let reads: [fn(&TopologyBuilder); 3] = [
            |builder| drop(builder.stream::<String, String>("in")),
            |builder| drop(builder.table::<String, String>("in").named("again")),
            |builder| {
                drop(
                    builder
                        .table_with::<String, String>("in", ByType, ByType)
                        .named("again"),
                )
            },
        ];
        for (read, table_first) in reads.iter().flat_map(|read| [(read, true), (read, false)]) {
            let builder = TopologyBuilder::new("app");
            if !table_first {
                read(&builder);
            }
            let line = line!() + 1;
            let table = builder.table::<String, String>("in").named("table");
            table.to_stream().to("out");
            if table_first {
                read(&builder);
            }
            let error = error(&builder);
            assert!(
                error.contains("`in`") && error.contains("read it once"),
                "{error}"
            );
            assert!(error.contains(&format!("check.rs:{line}:")), "{error}");
            assert_eq!(error.matches("check.rs:").count(), 2, "{error}");
        }
    }

    #[test]
    fn two_streams_of_one_topic_are_fine() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("in").to("one");
        builder.stream::<Keyless, str>("in").to("two");
        builder.build().check().unwrap();
    }

    #[test]
    fn an_illegal_topic_is_an_error_where_it_is_used() {
        let builder = TopologyBuilder::new("app");
        let line = line!() + 1;
        builder.stream::<Keyless, str>("in").to("two words");
        let error = error(&builder);
        assert!(
            error.contains(&format!("check.rs:{line}:")) && error.contains("`two words`"),
            "{error}"
        );
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("a b").to("c d");
        let error = error(&builder);
        assert!(
            error.contains("`a b`") && error.contains("`c d`"),
            "{error}"
        );
    }

    #[test]
    fn dead_letters_must_not_be_among_the_output() {
        let builder = TopologyBuilder::new("app");
        builder.on_deserialize_error(ErrorPolicy::DeadLetter("out".to_owned()));
        builder.on_process_error(ErrorPolicy::DeadLetter("out".to_owned()));
        builder.stream::<Keyless, str>("in").to("out");
        let error = error(&builder);
        let told = error.matches("dead-letter topic `out` is also a sink");
        assert_eq!(told.count(), 1, "{error}");
    }

    #[test]
    fn dead_letters_must_not_come_back() {
        let builder = TopologyBuilder::new("app");
        builder.on_deserialize_error(ErrorPolicy::DeadLetter("in".to_owned()));
        builder.stream::<Keyless, str>("in").to("out");
        let error = error(&builder);
        assert!(error.contains("dead-letter topic `in`"), "{error}");
    }

    #[test]
    fn a_deployment_that_breaks_a_rule_is_an_error_of_the_configuration() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("in").to("out");
        let topology = builder.build();
        let mut config = topology.config().clone();
        config.stream_threads = 0;
        assert!(matches!(
            topology.with_config(config).check(),
            Err(Error::Configuration(_))
        ));
    }

    #[test]
    fn a_builder_builds_once() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("in").to("out");
        builder.build().check().unwrap();
        assert!(error(&builder).contains("built its topology already"));
    }
}
