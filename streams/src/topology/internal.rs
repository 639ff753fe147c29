//! Topics that belong to the topology itself.

use super::NodeId;

/// A repartition topic, by its place in the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RepartitionId(pub(crate) usize);

/// A topic through which records go to the task of their new key.
#[derive(Clone, Debug)]
pub(crate) struct RepartitionSpec {
    /// The node that the topic is there for, whose name it has.
    pub(crate) owner: Option<NodeId>,
    /// What stands behind the owner's name, where a node has two: "-left", "-right".
    pub(crate) suffix: &'static str,
    /// How many partitions the user wants; else as many as the sources of the records have.
    pub(crate) partitions: Option<i32>,
    /// Given when the topology is built.
    pub(crate) name: String,
}

impl RepartitionSpec {
    /// Its topic, as Kafka Streams calls it.
    pub(crate) fn topic(&self, application_id: &str) -> String {
        format!("{application_id}-{}-repartition", self.name)
    }
}

/// A topic as it is drafted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TopicRef {
    /// The user's.
    External(String),
    /// The topology's own, which gets its name when the topology is built.
    Repartition(RepartitionId),
}
