//! Co-partitioning: what is joined by key has to be in partitions of equal numbers, so its topics need as many of them.

use super::{Kind, NodeId, NodeSpec, TopicRef};
use std::panic::Location;

/// A node that takes records of equal keys from behind several nodes.
#[derive(Clone, Debug)]
pub(crate) struct Copartition {
    pub(crate) at: NodeId,
    pub(crate) inputs: Vec<NodeId>,
}

/// Topics that need equal numbers of partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CopartitionGroup {
    pub(crate) topics: Vec<TopicRef>,
    /// Where the user called the operators that need it.
    pub(crate) places: Vec<&'static Location<'static>>,
}

impl CopartitionGroup {
    fn of(nodes: &[NodeSpec], copartition: &Copartition) -> Self {
        let at = nodes.get(copartition.at.0).map(|node| node.at);
        Self {
            topics: topics_above(nodes, &copartition.inputs),
            places: at.into_iter().collect(),
        }
    }

    fn shares_a_topic_with(&self, other: &Self) -> bool {
        self.topics.iter().any(|topic| other.topics.contains(topic))
    }

    fn join(mut self, other: Self) -> Self {
        for topic in other.topics {
            if !self.topics.contains(&topic) {
                self.topics.push(topic);
            }
        }
        self.places.extend(other.places);
        self
    }
}

/// The topics that need equal numbers of partitions. Groups that share a topic are one.
pub(super) fn groups(nodes: &[NodeSpec], copartitions: &[Copartition]) -> Vec<CopartitionGroup> {
    let mut groups: Vec<CopartitionGroup> = Vec::new();
    for copartition in copartitions {
        let group = CopartitionGroup::of(nodes, copartition);
        let (joined, mut rest): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|known| known.shares_a_topic_with(&group));
        let mut all = joined.into_iter().chain([group]);
        rest.extend(
            all.next()
                .map(|first| all.fold(first, CopartitionGroup::join)),
        );
        groups = rest;
    }
    groups
}

/// The topics that these nodes' records are read from.
pub(crate) fn topics_above(nodes: &[NodeSpec], below: &[NodeId]) -> Vec<TopicRef> {
    let mut topics = Vec::new();
    let mut seen = vec![false; nodes.len()];
    let mut waiting: Vec<NodeId> = below.iter().rev().copied().collect();
    while let Some(id) = waiting.pop() {
        let (Some(node), Some(seen)) = (nodes.get(id.0), seen.get_mut(id.0)) else {
            continue;
        };
        if std::mem::replace(seen, true) {
            continue;
        }
        if let Kind::Source(topic) = &node.kind
            && !topics.contains(topic)
        {
            topics.push(topic.clone());
        }
        waiting.extend(node.parents.iter().rev());
    }
    topics
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use crate::prelude::*;
    use crate::topology::TopicRef;

    fn groups(topology: &Topology) -> Vec<Vec<String>> {
        let name = |topic: &TopicRef| match topic {
            TopicRef::External(name) => name.clone(),
            TopicRef::Repartition(id) => topology.graph().repartitions[id.0].name.clone(),
        };
        let groups = topology.graph().copartitioned.iter();
        groups
            .map(|group| group.topics.iter().map(name).collect())
            .collect()
    }

    fn table(builder: &TopologyBuilder, topic: &str) -> KTable<String, String> {
        builder.table(topic).named(topic)
    }

    #[test]
    fn the_topics_of_both_sides_of_a_join_are_a_group() {
        let builder = TopologyBuilder::new("app");
        let _ = table(&builder, "c");
        let _ = table(&builder, "a").join(&table(&builder, "b"), |a, _| a.clone());
        assert_eq!(groups(&builder.build()), [["a", "b"]]);
    }

    #[test]
    fn groups_that_share_a_topic_are_one_and_know_each_place() {
        let builder = TopologyBuilder::new("app");
        let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|topic| table(&builder, topic));
        let _ = a.join(&b, |a, _| a.clone());
        let _ = c.join(&d, |c, _| c.clone());
        let _ = e.filter(|_, _| true).join(&e, |e, _| e.clone());
        let line = line!() + 1;
        let _ = b.join(&c, |b, _| b.clone());
        let topology = builder.build();
        assert_eq!(groups(&topology), [vec!["e"], vec!["a", "b", "c", "d"]]);
        let places = &topology.graph().copartitioned[1].places;
        assert_eq!(places.len(), 3);
        assert_eq!(places[2].line(), line);
    }
}
