//! What the stream threads of a job have in common.

use super::bounded::Bound;
use super::clock::CoarseClock;
use super::event::{Event, Listener};
use crate::kafka::properties::Properties;
use crate::topology::Topology;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

/// Read by every stream thread; nothing of it is written per record.
pub(crate) struct Shared {
    pub(crate) topology: Topology,
    pub(crate) properties: Properties,
    pub(crate) instance: String,
    pub(crate) clock: CoarseClock,
    pub(crate) stop: AtomicBool,
    pub(crate) bound: Option<Bound>,
    pub(crate) listener: Listener,
}

impl Shared {
    /// A listener that panics must not be taken for a record that fails.
    pub(crate) fn tell(&self, event: &Event) {
        if catch_unwind(AssertUnwindSafe(|| (self.listener)(event))).is_err() {
            tracing::error!(?event, "the job's listener panicked");
        }
    }
}
