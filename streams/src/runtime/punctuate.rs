//! Punctuators under a stream thread: what they bring forth is in the transaction, as what records bring forth.

use super::event::Event;
use super::work::{Interrupt, Work, write_staged};
use crate::kafka::error::ClientError;
use crate::processor::{
    Decision, Headers, ProcessorFailure, Released, StagedRecord, Task, TaskId, decide_punctuation,
};
use crate::topology::NodeId;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

impl Work {
    /// Gets new tasks ready, and calls the punctuators that are due: by the wall clock, and by the stream time at which a new
    /// task goes on. Between two batches.
    pub(super) fn punctuate(&mut self) -> Result<(), Interrupt> {
        let now = wall_clock();
        for at in 0..self.tasks.len() {
            // A task that waits for its state is not ready yet.
            let Some(task) = self.running(at) else {
                continue;
            };
            let id = task.id();
            task.init(now).map_err(|failed| failed.into_error(id))?;
            task.set_wall_clock(now);
            if task.is_punctuation_due() {
                self.punctuate_task(at)?;
                self.evict(at)?;
            }
        }
        Ok(())
    }

    fn running(&mut self, at: usize) -> Option<&mut Task> {
        self.tasks.task_mut(at)?.running()
    }

    /// How long a wait for records may take, so that no punctuator by the wall clock is late.
    pub(super) fn until_punctuation(&self) -> Duration {
        let wait = self.tasks.next_punctuation().saturating_sub(wall_clock());
        Duration::from_millis(u64::try_from(wait).unwrap_or_default())
    }

    /// Works on what has left the buffers of a task, and calls its punctuators that are due, by either clock. No checkpoint
    /// comes in between.
    #[cold]
    pub(super) fn punctuate_task(&mut self, at: usize) -> Result<(), Interrupt> {
        while let Some(task) = self.running(at) {
            let id = task.id();
            let failed = match task.punctuate() {
                None => break,
                Some(Ok(processor)) => self.write_effects(at, processor)?,
                Some(Err(failed)) => Some(failed),
            };
            if let Some(failed) = failed {
                self.punctuator_failed(failed, id)?;
            }
        }
        Ok(())
    }

    /// What a punctuator has staged goes into the transaction, which a write to a store alone begins too: all of it, or
    /// nothing and the failure.
    fn write_effects(
        &mut self,
        at: usize,
        processor: NodeId,
    ) -> Result<Option<ProcessorFailure>, ClientError> {
        let has_effects = self.running(at).is_some_and(|task| task.has_effects());
        if has_effects && self.output.begin()? {
            let now = self.shared.clock.now();
            self.deadlines.transaction_began(now);
        }
        let Some(active) = self.tasks.task_mut(at) else {
            return Ok(None);
        };
        active.has_punctuated |= has_effects;
        let refused = write_staged(active, &mut self.output)?;
        let task = active.running();
        Ok(task.and_then(|task| Some(task.failure_of(processor, refused?))))
    }

    /// Does with a failed punctuator, or a record that has waited and failed, what `on_error` says.
    fn punctuator_failed(&mut self, failed: ProcessorFailure, id: TaskId) -> Result<(), Interrupt> {
        let shared = Arc::clone(&self.shared);
        let what = match decide_punctuation(&shared.topology.config().on_error, &failed) {
            Decision::Fail => return Err(failed.into_error(id).into()),
            Decision::Skip => format!("{}; skipped", failed.reason()),
            Decision::DeadLetter { topic, headers } => {
                let letter = self.write_letter(topic, failed.released.as_deref(), &headers)?;
                if let Some(refusal) = letter {
                    return Err(failed.into_error_without_letter(id, &refusal).into());
                }
                format!("{}; written to `{topic}`", failed.reason())
            }
        };
        self.tell(&Event::PunctuatorFailed {
            thread: self.index,
            task: id.to_string(),
            processor: failed.processor,
            what,
        });
        Ok(())
    }

    /// The dead letter of a record that has waited; where none has led to it, only the reason, in its headers. Or why that is
    /// refused.
    fn write_letter(
        &mut self,
        topic: &str,
        waited: Option<&Released>,
        headers: &Headers,
    ) -> Result<Option<String>, ClientError> {
        if self.output.begin()? {
            let now = self.shared.clock.now();
            self.deadlines.transaction_began(now);
        }
        self.output.write_letter(
            topic,
            &StagedRecord {
                topic: 0,
                key: waited.map(|record| &*record.key),
                value: waited.and_then(|record| record.value.as_deref()),
                timestamp: waited.map_or_else(wall_clock, |record| record.timestamp),
                headers,
            },
        )
    }
}

/// Milliseconds since the epoch.
pub(super) fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
