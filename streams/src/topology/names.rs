//! What nodes are called.
//!
//! An explicit name wins. Sources and sinks are called after their topic, operators after the scope that they were added
//! in. These names may count, since nothing is kept under them.

use super::check::node_name;
use super::{Kind, NodeSpec};
use std::collections::HashSet;

/// Names all nodes, and tells what is wrong with the names that users gave.
pub(super) fn name_nodes(nodes: &mut [NodeSpec]) -> Vec<String> {
    let (mut taken, errors) = explicit_names(nodes);
    for node in nodes {
        let base = match &node.kind {
            _ if node.explicit.is_some() => continue,
            Kind::Source(topic) => format!("{topic}-source"),
            Kind::Sink(topic) => format!("{topic}-sink"),
            Kind::DynamicSink => format!("{}-sink", node.scope),
            Kind::Operator(role) => format!("{}-{role}", node.scope),
        };
        let mut name = base.clone();
        for count in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            name = format!("{base}-{count}");
        }
        node.name = name;
    }
    errors
}

fn explicit_names(nodes: &mut [NodeSpec]) -> (HashSet<String>, Vec<String>) {
    let mut named: Vec<(&str, &'static std::panic::Location<'static>)> = Vec::new();
    let mut errors = Vec::new();
    for node in nodes.iter() {
        let Some(name) = node.explicit.as_deref() else {
            continue;
        };
        if let Err(reason) = node_name(name) {
            errors.push(format!("{}: {reason}", node.at));
        }
        match named.iter().find(|(n, _)| *n == name) {
            Some((_, first)) => errors.push(format!(
                "{}: the name `{name}` is used twice; {first} has it already",
                node.at
            )),
            None => named.push((name, node.at)),
        }
    }
    let taken = named.into_iter().map(|(name, _)| name.to_owned()).collect();
    for node in nodes {
        node.name = node.explicit.clone().unwrap_or_default();
    }
    (taken, errors)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    fn names(topology: &Topology) -> Vec<&str> {
        topology
            .graph()
            .nodes
            .iter()
            .map(|n| n.name.as_str())
            .collect()
    }

    #[test]
    fn an_operator_is_called_after_the_innermost_scope() {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<Keyless, str>("words");
        let outer = builder.name_scope("outer");
        let inner = builder.name_scope("inner");
        let one = words.filter(|_, _| true).filter(|_, _| true);
        drop(inner);
        let two = one.peek(|_, _| ());
        drop(outer);
        two.filter(|_, _| true).to("out");
        let topology = builder.build();
        assert_eq!(
            names(&topology),
            [
                "words-source",
                "inner-filter",
                "inner-filter-2",
                "outer-peek",
                "app-filter",
                "out-sink"
            ]
        );
    }

    #[test]
    fn an_explicit_name_wins_and_is_not_given_again() {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<Keyless, str>("words");
        let _ = words.filter(|_, _| true);
        let _ = words.map_values(str::len).named("app-filter");
        assert_eq!(
            names(&builder.build()),
            ["words-source", "app-filter-2", "app-filter"]
        );
    }

    #[test]
    fn a_name_that_is_used_twice_is_an_error_with_both_places() {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<Keyless, str>("words");
        let line = line!() + 1;
        let _ = words.filter(|_, _| true).named("mine");
        let _ = words.filter(|_, _| true).named("mine");
        let error = builder.build().check().unwrap_err().to_string();
        assert!(error.contains("`mine` is used twice"), "{error}");
        for line in [line, line + 1] {
            assert!(error.contains(&format!("names.rs:{line}:")), "{error}");
        }
    }

    #[test]
    fn a_name_that_kafka_would_refuse_is_an_error() {
        let builder = TopologyBuilder::new("app");
        let _ = builder
            .stream::<Keyless, str>("words")
            .filter(|_, _| true)
            .named("two words");
        let error = builder.build().check().unwrap_err().to_string();
        assert!(error.contains("`two words`"), "{error}");
    }
}
