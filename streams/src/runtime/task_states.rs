//! The state of the tasks that no stream thread works on.
//!
//! A task's state belongs to one place at a time: to the task that runs on it, to the restorer that brings it up to date, or
//! to this register. A task that is revoked leaves its state here, open, so that it needs nothing but the difference when
//! it comes back, to this thread or to another one of the process.

use crate::processor::TaskId;
use crate::state::{Backends, StoreError, TaskState};
use crate::topology::Topology;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long state in memory is kept for a task that went to another process
/// (`state.cleanup.delay.ms` of Kafka Streams).
const KEPT_IN_MEMORY: Duration = Duration::from_secs(600);

pub(crate) struct TaskStates {
    topology: Topology,
    stores: Backends,
    known: Mutex<HashMap<TaskId, Place>>,
}

enum Place {
    /// Nobody works on it, since then.
    Here(TaskState, Instant),
    /// It was taken, and will be given back.
    Taken,
}

impl TaskStates {
    pub(crate) fn new(topology: Topology, stores: Backends) -> Self {
        Self {
            topology,
            stores,
            known: Mutex::default(),
        }
    }

    /// Takes a task's state; `None` while another thread of this process has it, which will soon be told to give it back.
    pub(crate) fn take(&self, task: TaskId) -> Result<Option<TaskState>, StoreError> {
        let mut known = self.known();
        known.retain(|_, place| match place {
            Place::Here(state, since) => !state.is_in_memory() || since.elapsed() < KEPT_IN_MEMORY,
            Place::Taken => true,
        });
        let before = known.insert(task, Place::Taken);
        drop(known);
        match before {
            Some(Place::Here(state, _)) => Ok(Some(state)),
            Some(Place::Taken) => Ok(None),
            // The others need not wait until its stores are read.
            None => self.open(task).map(Some).inspect_err(|_| {
                self.known().remove(&task);
            }),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TaskId, Place>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn are_on_disk(&self) -> bool {
        self.stores.are_on_disk()
    }

    /// The bytes that the stores of this process take up on disk.
    pub(crate) fn disk_use(&self) -> Result<u64, StoreError> {
        self.stores.disk_use()
    }

    fn open(&self, task: TaskId) -> Result<TaskState, StoreError> {
        let sub_topology = self.topology.sub_topologies().get(task.sub_topology);
        let stores = sub_topology.map(|s| &*s.stores).unwrap_or_default();
        self.stores
            .open(&self.topology.graph().stores, stores, task.partition)
    }

    /// Gives a task's state back, without what is not committed.
    pub(crate) fn give_back(&self, task: TaskId, mut state: TaskState) {
        state.discard();
        state.rest();
        self.known()
            .insert(task, Place::Here(state, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::StateBackend;
    use crate::prelude::*;
    use crate::state::{Reached, StoreId};

    const TASK: TaskId = TaskId {
        sub_topology: 0,
        partition: 1,
    };
    const STORE: StoreId = StoreId(0);

    fn states() -> TaskStates {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<str, str>("words");
        words.group_by_key().count().to_stream().to("counts");
        TaskStates::new(builder.build(), Backends::new(None, StateBackend::Memory))
    }

    #[test]
    fn a_state_is_in_one_place_at_a_time() {
        let states = states();
        let state = states.take(TASK).unwrap().unwrap();
        assert!(states.take(TASK).unwrap().is_none());
        states.give_back(TASK, state);
        assert!(states.take(TASK).unwrap().is_some());
    }

    #[test]
    fn a_task_that_comes_back_has_what_was_committed_and_no_more() {
        let states = states();
        let mut state = states.take(TASK).unwrap().unwrap();
        state
            .store_mut(STORE)
            .unwrap()
            .put(b"kept", Some(b"1"))
            .unwrap();
        state.apply(|_| Some(Reached::Written(5))).unwrap();
        state
            .store_mut(STORE)
            .unwrap()
            .put(b"dropped", Some(b"1"))
            .unwrap();
        states.give_back(TASK, state);
        let mut state = states.take(TASK).unwrap().unwrap();
        let store = state.store(STORE).unwrap();
        assert!(store.get(b"kept").unwrap().is_some());
        assert!(store.get(b"dropped").unwrap().is_none());
        let (_, committed) = state.committed_mut().next().unwrap();
        assert_eq!(committed.changelog_offset().unwrap(), Some(5));
    }
}
