//! A node as people see it.

use super::TopicRef;
use crate::state::StoreId;
use std::panic::Location;

/// A node, by its place in the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads a topic.
    Source(TopicRef),
    /// An operator, by the name of its method.
    Operator(&'static str),
    /// Writes to a topic.
    Sink(TopicRef),
    /// Writes to topics that the records choose.
    DynamicSink,
}

/// A node of the draft.
#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    pub(crate) kind: Kind,
    pub(crate) parents: Vec<NodeId>,
    /// The stores that it reads or writes.
    pub(crate) stores: Vec<StoreId>,
    /// Where the user called the operator.
    pub(crate) at: &'static Location<'static>,
    /// The innermost `let` around it, or the application.
    pub(crate) scope: String,
    /// What `.named(..)` says.
    pub(crate) explicit: Option<String>,
    /// Given when the topology is built.
    pub(crate) name: String,
}

impl NodeSpec {
    pub(crate) fn new(kind: Kind, parents: &[NodeId], at: &'static Location<'static>) -> Self {
        Self {
            kind,
            parents: parents.to_vec(),
            stores: Vec::new(),
            at,
            scope: String::new(),
            explicit: None,
            name: String::new(),
        }
    }
}
