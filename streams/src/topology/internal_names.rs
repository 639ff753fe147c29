//! Whether Kafka takes the names of the topics that belong to the topology itself. Apart from the other checks of the graph,
//! since a deployment may choose the application's id, which they begin with.

use super::names::{Place, place_of};
use super::{Graph, NodeId, RepartitionId, check};
use crate::rules;
use crate::state::Owner;

/// What keeps internal topics from being created, each with the place of its operator.
pub(super) fn check_internal_topics(graph: &Graph, application_id: &str) -> Vec<String> {
    // That has an error of its own.
    if rules::application_id(application_id).is_err() {
        return Vec::new();
    }
    let named_by_let = |owner: NodeId| {
        let owner = graph.nodes.get(owner.0);
        owner.is_some_and(|node| node.explicit.is_none())
    };
    let mut errors = Vec::new();
    // A store that has its source's topic has been looked at there.
    for store in graph.stores.iter().filter(|store| store.source.is_none()) {
        let Some(at) = store.place(&graph.nodes) else {
            continue;
        };
        let kept = Kept {
            name: &store.name,
            role: "changelog",
            topic: store.changelog_topic(application_id),
            at,
            is_named_by_let: matches!(store.owner, Owner::Node(owner) if named_by_let(owner)),
        };
        errors.extend(kept.refusal());
    }
    for (id, repartition) in graph.repartitions.iter().enumerate() {
        let Some(at) = place_of(&graph.nodes, RepartitionId(id)) else {
            continue;
        };
        let kept = Kept {
            name: &repartition.name,
            role: "repartition topic",
            topic: repartition.topic(application_id),
            at,
            is_named_by_let: repartition.owner.is_some_and(named_by_let),
        };
        errors.extend(kept.refusal());
    }
    errors
}

/// What has an internal topic.
struct Kept<'g> {
    name: &'g str,
    /// What the topic is.
    role: &'static str,
    topic: String,
    at: Place,
    is_named_by_let: bool,
}

impl Kept<'_> {
    /// Why Kafka would refuse the topic.
    fn refusal(&self) -> Option<String> {
        let Self {
            name,
            role,
            topic,
            at,
            ..
        } = self;
        if let Err(reason) = check::node_name(name) {
            // A name that was given by itself has an error of its own.
            return self.is_named_by_let.then(|| {
                format!(
                    "{at}: the {role} is called after the `let` around this call, and {reason}; or give the operator another \
                     name with `.named(\"..\")`"
                )
            });
        }
        let (found, longest) = (topic.len(), rules::LONGEST_TOPIC);
        let room = longest.saturating_sub(found.saturating_sub(name.len()));
        (found > longest).then(|| {
            format!(
                "{at}: the {role} `{topic}` has a name of {found} characters where Kafka takes {longest}; shorten `{name}` to \
                 at most {room} characters"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    /// `app-` and `-changelog` have 14 characters, `app-` and `-repartition` 16.
    const FITS: usize = 233;

    fn counting(name: &str) -> TopologyBuilder {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<String, String>("words");
        let _ = words.group_by(|_, word| word.clone()).count().named(name);
        builder
    }

    fn store(name: &str) -> TopologyBuilder {
        struct Keep(#[expect(dead_code, reason = "nothing runs")] KeyValueStore<str, i64>);
        impl FixedKeyProcessor<str, str> for Keep {
            type ValueOut = str;
            fn process(
                &mut self,
                record: FixedKeyRecord<'_, str, str>,
                cx: &mut FixedKeyContext<'_, str, str>,
            ) -> Outcome {
                cx.forward(record)
            }
        }
        let builder = TopologyBuilder::new("app");
        let kept = builder.store(Stores::key_value::<str, i64>(name));
        let words = builder.stream::<str, str>("words");
        words.process_values_with(&kept, Keep).to("out");
        builder
    }

    #[test]
    fn a_name_that_leaves_no_room_for_its_topic_is_an_error_with_place_length_and_remedy() {
        counting(&"x".repeat(FITS)).build().check().unwrap();
        store(&"x".repeat(FITS + 2)).build().check().unwrap();

        let name = "x".repeat(FITS + 1);
        let error = counting(&name).build().check().unwrap_err().to_string();
        assert!(
            error.contains("internal_names.rs:") && error.contains("a name of 250 characters"),
            "{error}"
        );
        assert!(error.contains("to at most 233 characters"), "{error}");

        let name = "x".repeat(FITS + 3);
        let error = store(&name).build().check().unwrap_err().to_string();
        assert!(
            error.contains("internal_names.rs:") && error.contains("to at most 235 characters"),
            "{error}"
        );
    }

    #[test]
    fn a_let_that_is_no_name_of_a_topic_is_an_error_where_something_is_kept_under_it() {
        let builder = TopologyBuilder::new("app");
        let scope = builder.name_scope("größe");
        let words = builder.stream::<String, String>("in");
        let line = line!() + 1;
        let counts = words.group_by_key().count();
        counts.to_stream().to("out");
        drop(scope);
        let error = builder.build().check().unwrap_err().to_string();
        assert!(
            error.contains(&format!("internal_names.rs:{line}:")),
            "{error}"
        );
        assert!(
            error.contains("contains `ö`") && error.contains(".named("),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }

    #[test]
    fn a_longer_application_id_of_a_deployment_leaves_less_room() {
        let topology = store(&"x".repeat(FITS + 2)).build();
        topology.check().unwrap();
        let mut config = topology.config().clone();
        config.application_id = "application".to_owned();
        let error = topology.with_config(config).check().unwrap_err();
        assert!(
            error.to_string().contains("a name of 257 characters"),
            "{error}"
        );
    }

    #[test]
    fn a_table_that_is_restored_from_its_own_topic_needs_no_changelog() {
        let builder = TopologyBuilder::new("app");
        builder.topology_optimization(TopologyOptimization::ReuseKtableSourceTopics);
        let table = builder.table::<str, String>("in");
        table.named(&"x".repeat(249)).to_stream().to("out");
        builder.build().check().unwrap();
    }
}
