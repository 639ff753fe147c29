//! A store as it is drafted.

use super::{EntryTypes, Segments, SourceChangelog};
use crate::config::StateBackend;
use crate::topology::{NodeId, NodeSpec};
use std::panic::Location;

/// A store, by its place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub(crate) usize);

impl StoreId {
    /// Of a store that is in no topology yet.
    pub(crate) const NONE: Self = Self(usize::MAX);
}

/// What a store's entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The newest value of each key, with its timestamp in front: eight bytes, big-endian
    /// (`org.apache.kafka.streams.state.TimestampedKeyValueStore`).
    TimestampedKeyValue,
    /// A value for each key (`org.apache.kafka.streams.state.KeyValueStore`).
    KeyValue,
    /// Values by key and window start, as segments: see [`Segments`](super::Segments).
    Window(Segments),
    /// Values by key and session, as segments by the sessions' ends.
    Session(Segments),
    /// Values by key and time: the newest versions, and the older ones as segments by the end of their validity.
    Versioned(Segments),
}

/// Whose a store is.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// An operator's, by its node. The store is called after it.
    Node(NodeId),
    /// The user's own, in this name.
    Declared {
        name: String,
        types: EntryTypes,
        at: &'static Location<'static>,
    },
}

/// A store, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct StoreSpec {
    pub(crate) kind: StoreKind,
    pub(crate) owner: Owner,
    /// What stands behind the owner's name, where an operator keeps more than one store.
    pub(crate) suffix: &'static str,
    /// Where it is kept; else where the job says.
    pub(crate) backend: Option<StateBackend>,
    /// The topic that it is restored from, in place of a changelog of its own.
    pub(crate) source: Option<SourceChangelog>,
    /// Given when the topology is built.
    pub(crate) name: String,
}

impl StoreSpec {
    /// A store that an operator keeps.
    pub(crate) fn new(kind: StoreKind, owner: NodeId) -> Self {
        Self::of(kind, Owner::Node(owner))
    }

    pub(crate) fn of(kind: StoreKind, owner: Owner) -> Self {
        Self {
            kind,
            owner,
            suffix: "",
            backend: None,
            source: None,
            name: String::new(),
        }
    }

    /// Where the user wrote what it is there for.
    pub(crate) fn place(&self, nodes: &[NodeSpec]) -> Option<&'static Location<'static>> {
        match &self.owner {
            Owner::Node(owner) => nodes.get(owner.0).map(|node| node.at),
            Owner::Declared { at, .. } => Some(at),
        }
    }

    /// The topic that it is restored from. Its changes go there, unless it is the table's source.
    pub(crate) fn changelog_topic(&self, application_id: &str) -> String {
        match &self.source {
            Some(source) => source.topic.clone(),
            // As Kafka Streams calls it.
            None => format!("{application_id}-{}-changelog", self.name),
        }
    }

    /// What it is called on disk. Its offset there is one of its changelog, so a store that has another one is another store;
    /// `@` is in no other name.
    pub(crate) fn name_on_disk(&self) -> String {
        match &self.source {
            Some(source) => Self::name_on_disk_of(&source.topic),
            None => self.name.clone(),
        }
    }

    /// What a store is called on disk that is restored from this topic.
    pub(crate) fn name_on_disk_of(topic: &str) -> String {
        format!("@{topic}")
    }
}
