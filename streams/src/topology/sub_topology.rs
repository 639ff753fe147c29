//! Sub-topologies: what is connected, through edges, a store, or a topic that is read twice, runs in one task.

use super::graph::SourceTopicReaders;
use super::{Kind, NodeId, NodeSpec};
use crate::processor::SourceId;
use crate::state::StoreId;

/// A connected part of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubTopology {
    pub(crate) id: usize,
    /// The topics that it reads; no other sub-topology reads them.
    pub(crate) sources: Vec<SourceId>,
    pub(crate) nodes: Vec<NodeId>,
    /// The stores of its tasks.
    pub(crate) stores: Vec<StoreId>,
}

/// Cuts the graph into sub-topologies, in the order of their first nodes.
pub(super) fn split(nodes: &[NodeSpec], topics: &[SourceTopicReaders]) -> Vec<SubTopology> {
    let roots = roots(nodes);
    let mut subs: Vec<(usize, SubTopology)> = Vec::new();
    for (at, (node, root)) in nodes.iter().zip(roots).enumerate() {
        let id = subs.len();
        let known = subs
            .iter()
            .position(|(r, _)| *r == root)
            .unwrap_or_else(|| {
                subs.push((
                    root,
                    SubTopology {
                        id,
                        sources: Vec::new(),
                        nodes: Vec::new(),
                        stores: Vec::new(),
                    },
                ));
                id
            });
        let Some((_, sub)) = subs.get_mut(known) else {
            continue;
        };
        sub.nodes.push(NodeId(at));
        if let Kind::Source(topic) = &node.kind
            && let Some(source) = topics.iter().position(|t| t.topic == *topic)
            && !sub.sources.contains(&SourceId(source))
        {
            sub.sources.push(SourceId(source));
        }
        for store in &node.stores {
            if !sub.stores.contains(store) {
                sub.stores.push(*store);
            }
        }
    }
    subs.into_iter().map(|(_, sub)| sub).collect()
}

/// For each node the smallest number among those that it is connected with.
fn roots(nodes: &[NodeSpec]) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..nodes.len()).collect();
    for (at, node) in nodes.iter().enumerate() {
        for parent in &node.parents {
            join(&mut roots, at, parent.0);
        }
        let reads_the_same =
            |other: &NodeSpec| matches!(node.kind, Kind::Source(_)) && other.kind == node.kind;
        let shares_a_store =
            |other: &NodeSpec| other.stores.iter().any(|store| node.stores.contains(store));
        for (before, other) in nodes.iter().enumerate().take(at) {
            if reads_the_same(other) || shares_a_store(other) {
                join(&mut roots, at, before);
            }
        }
    }
    (0..nodes.len()).map(|node| root(&roots, node)).collect()
}

fn root(roots: &[usize], mut node: usize) -> usize {
    while let Some(above) = roots.get(node).filter(|above| **above != node) {
        node = *above;
    }
    node
}

fn join(roots: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(roots, one), root(roots, other));
    if let Some(below) = roots.get_mut(one.max(other)) {
        *below = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use crate::prelude::*;
    use crate::processor::SourceId;

    fn sources(topology: &Topology) -> Vec<Vec<&str>> {
        topology
            .sub_topologies()
            .iter()
            .map(|s| {
                let topic = |s: &SourceId| topology.graph().topics[s.0].name.as_str();
                s.sources.iter().map(topic).collect()
            })
            .collect()
    }

    #[test]
    fn what_is_not_connected_is_apart() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("a").to("x");
        builder.stream::<Keyless, str>("b").to("y");
        let topology = builder.build();
        assert_eq!(sources(&topology), [["a"], ["b"]]);
        assert_eq!(topology.sub_topologies()[1].id, 1);
        assert_eq!(topology.source_of("b").unwrap().0, 1);
        assert_eq!(topology.source_of("c"), None);
    }

    #[test]
    fn a_merge_connects() {
        let builder = TopologyBuilder::new("app");
        let (a, b) = (
            builder.stream::<Keyless, str>("a"),
            builder.stream::<Keyless, str>("b"),
        );
        let c = builder.stream::<Keyless, str>("c");
        c.filter(|_, _| true).merge(&a).to("x");
        b.to("y");
        assert_eq!(sources(&builder.build()), [vec!["a", "c"], vec!["b"]]);
    }

    #[test]
    fn a_store_connects_all_that_read_it() {
        let builder = TopologyBuilder::new("app");
        let [a, b] = ["a", "b"].map(|topic| builder.table::<str, String>(topic).named(topic));
        let c = builder.stream::<Keyless, str>("c").filter(|_, _| true);
        for table in [&a, &b] {
            let store = table.view().stores()[0];
            builder.connect_store(c.node(), store);
        }
        assert_eq!(sources(&builder.build()), [["a", "b", "c"]]);
    }

    #[test]
    fn a_topic_that_is_read_twice_connects() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("a").to("x");
        builder.stream::<Keyless, [u8]>("a").to("y");
        assert_eq!(sources(&builder.build()), [["a"]]);
    }
}
