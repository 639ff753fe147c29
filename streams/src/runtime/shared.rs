//! What the stream threads of a job have in common.

use super::bounded::Bound;
use super::clock::CoarseClock;
use super::disk_use::DiskUse;
use super::event::{Event, Listener};
use super::lifecycle::StateCell;
use super::purge::Purge;
use super::stop::Stop;
use super::task_counts::TaskCounts;
use super::task_states::TaskStates;
use crate::kafka::properties::Properties;
use crate::kafka::topic_ids::TopicIds;
use crate::state::GlobalState;
use crate::topology::Topology;
use std::sync::Arc;

/// Read by every stream thread; nothing of it is written per record.
pub(crate) struct Shared {
    pub(crate) topology: Topology,
    pub(crate) properties: Properties,
    pub(crate) instance: String,
    pub(crate) clock: CoarseClock,
    pub(crate) stop: Arc<Stop>,
    pub(crate) bound: Option<Bound>,
    pub(crate) states: TaskStates,
    pub(crate) tasks: TaskCounts,
    pub(crate) globals: Arc<GlobalState>,
    /// Those of the changelogs and global tables, as they were when the job started.
    pub(crate) topic_ids: TopicIds,
    pub(crate) purge: Arc<Purge>,
    pub(crate) disk_use: DiskUse,
    pub(crate) state: StateCell,
    pub(crate) listener: Listener,
}

impl Shared {
    pub(crate) fn tell(&self, event: &Event) {
        self.listener.tell(event);
    }
}
