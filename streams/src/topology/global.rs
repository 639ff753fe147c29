//! Global tables: outside of the sub-topologies, shared by all tasks.

use crate::config::StateBackend;
use crate::processor::GlobalReader;
use std::panic::Location;
use std::sync::Arc;

/// A global table: a topic that a process reads whole, and the store that it fills.
#[derive(Clone)]
pub(crate) struct GlobalTable {
    pub(crate) topic: String,
    pub(crate) reader: Arc<dyn GlobalReader>,
    /// Where the user called the operator.
    pub(crate) at: &'static Location<'static>,
    /// The innermost `let` around it, or the application.
    pub(crate) scope: String,
    /// What `.named(..)` says.
    pub(crate) explicit: Option<String>,
    /// Where it is kept; else where the job says.
    pub(crate) backend: Option<StateBackend>,
    /// The store's name, given when the topology is built.
    pub(crate) name: String,
}
