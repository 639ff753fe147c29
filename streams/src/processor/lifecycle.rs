//! What a task does with a user's processor, or with a buffer, besides giving it records.

use super::{Context, Failure, Outcome, PunctuationType, PunctuatorId, Released, Schedule, TaskId};
use crate::Error;
use crate::state::StoreId;
use crate::topology::NodeId;
use std::any::Any;
use std::time::Duration;

/// Makes a task's own instance of a processor.
pub(crate) type Supplier = Box<dyn Fn() -> Box<dyn Any + Send> + Send + Sync>;

/// A user's processor, a buffer, or a table whose updates may wait, as every task needs it.
pub(crate) struct ProcessorSpec {
    pub(crate) node: NodeId,
    /// The store of the table.
    pub(crate) table: Option<StoreId>,
    pub(crate) supplier: Supplier,
    pub(crate) lifecycle: Box<dyn Lifecycle>,
}

/// The calls of a processor that no record leads to.
pub(crate) trait Lifecycle: Send + Sync {
    /// Before the first record.
    fn init(&self, _: &mut Context) -> Outcome {
        Ok(())
    }

    /// A punctuator is due.
    fn punctuate(&self, _: &mut Context, _callback: usize, _time: i64) -> Outcome {
        Ok(())
    }

    /// A record has left the buffer that it waited in, or a table's update the record cache.
    fn released(&self, _: &mut Context, _: &Released) -> Outcome {
        Ok(())
    }
}

/// A processor failed apart from a record that was read: in its `init`, in a punctuator, or for a record that had waited.
#[derive(Debug)]
pub(crate) struct ProcessorFailure {
    /// Its name in the topology.
    pub(crate) processor: String,
    pub(crate) failure: Box<Failure>,
    /// The record that had waited.
    pub(crate) released: Option<Box<Released>>,
}

impl ProcessorFailure {
    /// What happened, and to which record.
    pub(crate) fn reason(&self) -> String {
        match &self.released {
            None => self.failure.to_string(),
            Some(record) => format!(
                "{}; this was on the record of timestamp {} that had waited",
                self.failure, record.timestamp
            ),
        }
    }

    /// As a job or a test ends with it.
    pub(crate) fn into_error(self, task: TaskId) -> Error {
        let reason = self.reason();
        self.into_error_for(task, reason)
    }

    /// As a job ends where it could not even write a dead letter.
    pub(crate) fn into_error_without_letter(self, task: TaskId, refusal: &str) -> Error {
        let reason = format!("{}; {refusal}", self.reason());
        self.into_error_for(task, reason)
    }

    fn into_error_for(self, task: TaskId, reason: String) -> Error {
        Error::Processor {
            class: self.failure.class().to_string(),
            reason,
            processor: self.processor,
            task: task.to_string(),
        }
    }
}

/// An instance, and the punctuators that it has scheduled.
pub(crate) struct Instance<P, F> {
    pub(crate) processor: P,
    pub(crate) callbacks: Vec<F>,
}

impl<P, F> Instance<P, F> {
    pub(crate) fn new(processor: P) -> Self {
        Self {
            processor,
            callbacks: Vec::new(),
        }
    }
}

/// Schedules the punctuators of one processor.
pub(crate) struct Scheduling<'c, F> {
    pub(crate) task: &'c mut Context,
    pub(crate) slot: usize,
    pub(crate) callbacks: &'c mut Vec<F>,
}

impl<F> Scheduling<'_, F> {
    pub(crate) fn punctuator(&mut self, callback: F) -> PunctuatorId {
        self.callbacks.push(callback);
        PunctuatorId {
            processor: self.slot,
            callback: self.callbacks.len() - 1,
        }
    }

    pub(crate) fn schedule(
        &mut self,
        interval: Duration,
        kind: PunctuationType,
        callback: F,
    ) -> Schedule {
        let punctuator = self.punctuator(callback);
        self.task.schedule(interval, kind, punctuator)
    }

    pub(crate) fn schedule_from(
        &mut self,
        first: i64,
        interval: Duration,
        kind: PunctuationType,
        callback: F,
    ) -> Schedule {
        let punctuator = self.punctuator(callback);
        let schedules = &mut self.task.schedules;
        schedules.add(kind, first, interval, punctuator)
    }
}
