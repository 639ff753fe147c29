//! A node as people see it.

use std::panic::Location;

/// A node, by its place in the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads a topic.
    Source(String),
    /// An operator, by the name of its method.
    Operator(&'static str),
    /// Writes to a topic.
    Sink(String),
    /// Writes to topics that the records choose.
    DynamicSink,
}

/// A node of the draft.
#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    pub(crate) kind: Kind,
    pub(crate) parents: Vec<NodeId>,
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
            at,
            scope: String::new(),
            explicit: None,
            name: String::new(),
        }
    }
}
