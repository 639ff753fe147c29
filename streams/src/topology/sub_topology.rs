//! Sub-topologies: what is connected, through edges or through a topic that is read twice, runs in one task.

use super::graph::SourceTopicReaders;
use super::{Kind, NodeId, NodeSpec};
use crate::processor::SourceId;

/// A connected part of the graph.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SubTopology {
    pub(crate) id: usize,
    /// The topics that it reads; no other sub-topology reads them.
    pub(crate) sources: Vec<SourceTopic>,
    pub(crate) nodes: Vec<NodeId>,
}

/// A topic that a sub-topology reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceTopic {
    pub(crate) topic: String,
    pub(crate) source: SourceId,
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
                    },
                ));
                id
            });
        let Some((_, sub)) = subs.get_mut(known) else {
            continue;
        };
        sub.nodes.push(NodeId(at));
        if let Kind::Source(topic) = &node.kind
            && let Some(source) = topics.iter().position(|t| t.name == *topic)
            && sub.sources.iter().all(|s| s.topic != *topic)
        {
            sub.sources.push(SourceTopic {
                topic: topic.clone(),
                source: SourceId(source),
            });
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
        if let Some(other) = nodes.iter().take(at).position(reads_the_same) {
            join(&mut roots, at, other);
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

    fn sources(topology: &Topology) -> Vec<Vec<&str>> {
        topology
            .sub_topologies()
            .iter()
            .map(|s| s.sources.iter().map(|s| s.topic.as_str()).collect())
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
    fn a_topic_that_is_read_twice_connects() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("a").to("x");
        builder.stream::<Keyless, [u8]>("a").to("y");
        assert_eq!(sources(&builder.build()), [["a"]]);
    }
}
