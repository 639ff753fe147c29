//! What nodes are called.
//!
//! An explicit name wins. Sources and sinks are called after their topic, operators after the scope that they were added
//! in. These names may count, since nothing is kept under them. What is kept, stores and repartition topics, has the name
//! that its operator was given, or exactly the scope's, and never counts: a number would depend on what stands before it, and
//! an upgrade could lose state. Two in one name are an error.

use super::check::node_name;
use super::{GlobalTable, Kind, NodeSpec, RepartitionId, RepartitionSpec, TopicRef};
use crate::state::{Owner, StoreId, StoreSpec};
use std::collections::HashSet;

/// Names all nodes, and tells what is wrong with the names that users gave.
pub(super) fn name_nodes(nodes: &mut [NodeSpec]) -> Vec<String> {
    let (mut taken, errors) = explicit_names(nodes);
    for node in nodes {
        let base = match &node.kind {
            _ if node.explicit.is_some() => continue,
            Kind::Source(TopicRef::External(topic)) => format!("{topic}-source"),
            Kind::Sink(TopicRef::External(topic)) => format!("{topic}-sink"),
            Kind::Source(TopicRef::Repartition(_)) => {
                format!("{}-repartition-source", node.scope)
            }
            Kind::Sink(TopicRef::Repartition(_)) => format!("{}-repartition-sink", node.scope),
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

/// Names stores and repartition topics after the nodes that they belong to, and tells which names are used twice.
pub(super) fn name_what_is_kept(
    nodes: &[NodeSpec],
    stores: &mut [StoreSpec],
    repartitions: &mut [RepartitionSpec],
    global_tables: &mut [GlobalTable],
) -> Vec<String> {
    let mut errors = Vec::new();
    let mut taken = Vec::new();
    for (id, store) in stores.iter_mut().enumerate() {
        match &store.owner {
            Owner::Node(owner) => store.name = kept_name(nodes.get(owner.0), store.suffix),
            Owner::Declared { name, at, .. } => {
                store.name = name.clone();
                errors.extend(wrong_declaration(nodes, StoreId(id), name, at));
            }
        }
        let at = store.place(nodes);
        errors.extend(twice("state store", &store.name, at, NAME_ONE, &mut taken));
    }
    for table in global_tables {
        table.name = table
            .explicit
            .clone()
            .unwrap_or_else(|| table.scope.clone());
        if let Err(reason) = node_name(&table.name) {
            errors.push(format!("{}: {reason}", table.at));
        }
        errors.extend(twice(
            "state store",
            &table.name,
            Some(table.at),
            NAME_ONE,
            &mut taken,
        ));
    }
    let (mut taken, mut owners) = (Vec::new(), Vec::new());
    for (id, repartition) in repartitions.iter_mut().enumerate() {
        let remedy = match owners.contains(&repartition.owner) {
            true => REPARTITION_ONE,
            false => NAME_ONE,
        };
        owners.push(repartition.owner);
        let owner = repartition.owner.and_then(|owner| nodes.get(owner.0));
        repartition.name = kept_name(owner, repartition.suffix);
        errors.extend(twice(
            "repartition topic",
            &repartition.name,
            place_of(nodes, RepartitionId(id)),
            remedy,
            &mut taken,
        ));
    }
    errors
}

fn kept_name(owner: Option<&NodeSpec>, suffix: &str) -> String {
    let name = owner.map(|node| node.explicit.as_ref().unwrap_or(&node.scope));
    format!("{}{suffix}", name.map(String::as_str).unwrap_or_default())
}

/// A store whose name a topic cannot have, or that nobody uses.
fn wrong_declaration(nodes: &[NodeSpec], store: StoreId, name: &str, at: Place) -> Option<String> {
    if let Err(reason) = node_name(name) {
        return Some(format!("{at}: {reason}"));
    }
    let unused = !nodes.iter().any(|node| node.stores.contains(&store));
    unused.then(|| {
        format!("{at}: no processor is connected with the state store `{name}`; name it in `process_with(..)`")
    })
}

/// Where the user called what reads the repartition topic.
pub(super) fn place_of(nodes: &[NodeSpec], repartition: RepartitionId) -> Option<Place> {
    let source = Kind::Source(TopicRef::Repartition(repartition));
    let node = nodes.iter().find(|node| node.kind == source);
    node.map(|node| node.at)
}

const NAME_ONE: &str = "give one of them a `let` of its own, or a name with `.named(\"..\")`";
/// Two streams into one operator, after which both topics would be called.
const REPARTITION_ONE: &str = "both are called after the aggregation that they lead to: send one of the streams through a topic with a name of its own, \
     `.repartition().named(\"..\")`, before it is grouped";

pub(super) type Place = &'static std::panic::Location<'static>;

fn twice(
    what: &str,
    name: &str,
    at: Option<Place>,
    remedy: &str,
    taken: &mut Vec<(String, Place)>,
) -> Option<String> {
    let at = at?;
    match taken.iter().find(|(known, _)| known == name) {
        Some((_, first)) => Some(format!(
            "{at}: the {what} `{name}` is there twice; {first} has one of this name already: {remedy}"
        )),
        None => {
            taken.push((name.to_owned(), at));
            None
        }
    }
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
