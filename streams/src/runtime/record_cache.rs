//! The record caches of a thread's tasks: emptied before a checkpoint, and when they hold more than the thread's part of
//! `statestore_cache_max_bytes`. What leaves them goes into the open transaction, as what records bring forth.

use super::work::{Interrupt, Work};
use crate::processor::Forwarding;

impl Work {
    /// Sends on all updates that wait: what they lead to is part of the checkpoint, so none is committed that was not sent
    /// on.
    pub(super) fn flush_record_caches(&mut self) -> Result<(), Interrupt> {
        if self.cache_bytes == 0 {
            return Ok(());
        }
        for at in 0..self.tasks.len() {
            while self.forward(at, Forwarding::All)? {}
        }
        Ok(())
    }

    /// Sends on the oldest updates of a task while those of all tasks are too many; where the others have them, it is not
    /// this one's turn (`org.apache.kafka.streams.state.internals.ThreadCache#maybeEvict`).
    pub(super) fn evict(&mut self, at: usize) -> Result<(), Interrupt> {
        while self.tasks.held_bytes() > self.cache_bytes {
            if !self.forward(at, Forwarding::Oldest)? {
                break;
            }
        }
        Ok(())
    }

    /// Sends an update of a task on, with all that it leads to. `false` if none waits.
    fn forward(&mut self, at: usize, which: Forwarding) -> Result<bool, Interrupt> {
        let Some(task) = self.tasks.task_mut(at).and_then(|active| active.running()) else {
            return Ok(false);
        };
        let id = task.id();
        let has_left = task.forward_held(which);
        if !has_left.map_err(|failed| failed.into_error(id))? {
            return Ok(false);
        }
        self.punctuate_task(at)?;
        Ok(true)
    }
}
