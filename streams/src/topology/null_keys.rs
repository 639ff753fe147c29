//! Which repartition topics take records with null keys along: those that a left join of a stream is behind, however far
//! (`org.apache.kafka.streams.kstream.internals.graph.NodesWithRelaxedNullKeyJoinDownstream`).

use super::copartition::topics_above;
use super::{Kind, NodeId, NodeSpec, RepartitionId, TopicRef};

/// Whether what is written to a repartition topic comes to one of these nodes.
pub(super) fn leads_to(nodes: &[NodeSpec], topic: RepartitionId, below: &[NodeId]) -> bool {
    let topic = TopicRef::Repartition(topic);
    let mut seen: Vec<TopicRef> = Vec::new();
    let mut waiting = topics_above(nodes, below);
    while let Some(above) = waiting.pop() {
        if above == topic {
            return true;
        }
        if seen.contains(&above) {
            continue;
        }
        waiting.extend(topics_above(nodes, &sinks_of(nodes, &above)));
        seen.push(above);
    }
    false
}

/// Who writes to a topic of the topology's own.
fn sinks_of(nodes: &[NodeSpec], topic: &TopicRef) -> Vec<NodeId> {
    let numbered = nodes.iter().enumerate();
    let sinks = numbered.filter(|(_, node)| matches!(&node.kind, Kind::Sink(to) if to == topic));
    sinks.map(|(id, _)| NodeId(id)).collect()
}
