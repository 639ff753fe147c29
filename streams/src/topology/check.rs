//! What makes a graph wrong, told with the place in the user's code, before anything is contacted.

use super::{Graph, Kind, NodeSpec};
use crate::config::JobConfig;
use crate::rules;

/// Checks what can be seen from the nodes alone.
pub(super) fn check(nodes: &[NodeSpec]) -> Vec<String> {
    let mut errors = Vec::new();
    if !nodes.iter().any(|n| matches!(n.kind, Kind::Source(_))) {
        errors
            .push("the topology reads no topic; begin with `builder.stream(\"topic\")`".to_owned());
    }
    for node in nodes {
        if let Kind::Source(topic) | Kind::Sink(topic) = &node.kind
            && let Err(reason) = topic_name(topic)
        {
            errors.push(format!("{}: {reason}", node.at));
        }
        if let Kind::Sink(topic) = &node.kind {
            errors.extend(loops(nodes, node, topic));
        }
    }
    errors
}

/// A sink whose topic is read as well.
fn loops(nodes: &[NodeSpec], sink: &NodeSpec, topic: &str) -> Option<String> {
    nodes.iter().find_map(|node| match &node.kind {
        Kind::Source(source) => {
            let reason = rules::not_source_and_sink(source, topic).err()?;
            Some(format!("{}: {reason} (it is read at {})", sink.at, node.at))
        }
        _ => None,
    })
}

/// Dead letters that would be read again. Apart from [`check`], since a deployment may choose their topics.
pub(super) fn check_dead_letters(graph: &Graph, config: &JobConfig) -> Vec<String> {
    let broken = |source: &str, topic: &str| rules::not_source_and_dead_letter(source, topic).err();
    let pairs = config
        .dead_letter_topics()
        .flat_map(|topic| graph.topics.iter().map(move |source| (source, topic)));
    let mut errors: Vec<String> = pairs
        .filter_map(|(source, topic)| broken(&source.name, topic))
        .map(|reason| reason.to_string())
        .collect();
    // One topic may serve several classes.
    errors.dedup();
    errors
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
