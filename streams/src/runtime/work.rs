//! What a stream thread does with records: through the tasks, into the output.
//!
//! It has everything of the thread but the consumer, so that a batch, which borrows the consumer, can be processed.

use super::event::Event;
use super::output::Output;
use super::shared::Shared;
use super::tasks::{ActiveTask, Progress, Scheduled, Tasks};
use crate::Error;
use crate::kafka::batch::{Batch, OwnedMessage};
use crate::kafka::error::{ClientError, Remedy};
use crate::processor::{Decision, Failure, Headers, InputRecord, Location, StagedRecord, decide};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What a stream thread did, from its start to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) processed: u64,
    pub(crate) written: u64,
    pub(crate) checkpoints: u64,
    pub(crate) recoveries: u64,
}

/// Why a turn of the loop ended early.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// The client failed; its error says whether processing again can help.
    Client(ClientError),
    /// The job ends.
    Job(Error),
}

impl From<ClientError> for Interrupt {
    fn from(error: ClientError) -> Self {
        Interrupt::Client(error)
    }
}

impl From<Error> for Interrupt {
    fn from(error: Error) -> Self {
        Interrupt::Job(error)
    }
}

pub(super) struct Work {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) tasks: Tasks,
    pub(super) output: Output,
    pub(super) totals: Totals,
    pub(super) deadlines: Deadlines,
    headers: Headers,
}

/// When the next checkpoint is due, by the job's clock, in milliseconds.
pub(super) struct Deadlines {
    interval: u64,
    /// The part of the transaction's timeout after which it is committed whatever the interval says.
    transaction: u64,
    due: u64,
}

impl Deadlines {
    fn new(interval: Duration, transaction_timeout: Duration, now: u64) -> Self {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let interval = millis(interval);
        // Flushing and committing take their time too.
        let transaction = millis(transaction_timeout) / 2;
        Self {
            interval,
            transaction,
            due: now.saturating_add(interval),
        }
    }

    fn transaction_began(&mut self, now: u64) {
        self.due = self.due.min(now.saturating_add(self.transaction));
    }

    pub(super) fn checkpoint_taken(&mut self, now: u64) {
        self.due = now.saturating_add(self.interval);
    }
}

impl Work {
    pub(super) fn new(shared: Arc<Shared>, index: usize, tasks: Tasks, output: Output) -> Self {
        let config = shared.topology.config();
        let deadlines = Deadlines::new(
            config.checkpoint_interval(),
            config.transaction_timeout(),
            shared.clock.now(),
        );
        Self {
            shared,
            index,
            tasks,
            output,
            totals: Totals::default(),
            deadlines,
            headers: Headers::default(),
        }
    }

    pub(super) fn tell(&self, event: &Event) {
        self.shared.tell(event);
    }

    /// How long a wait for records may take.
    pub(super) fn until_checkpoint(&self) -> Duration {
        match self.output.written() {
            Some(_) => {
                Duration::from_millis(self.deadlines.due.saturating_sub(self.shared.clock.now()))
            }
            None => Duration::MAX,
        }
    }

    /// Whether the interval is over, or the transaction comes near its timeout or its size limit.
    #[inline]
    pub(super) fn checkpoint_is_due(&self) -> bool {
        self.shared.clock.now() >= self.deadlines.due || self.output.is_full()
    }

    /// Nothing is open any more.
    pub(super) fn transaction_ended(&mut self) {
        self.deadlines.checkpoint_taken(self.shared.clock.now());
    }

    /// Processes a batch, with checkpoints in between where they are due.
    ///
    /// User code may panic: what it was called for is then the record at the place where the schedule stands, which is
    /// handled as any record that fails, and the rest of the batch goes on.
    pub(super) fn process(&mut self, batch: &Batch<'_>) -> Result<(), Interrupt> {
        if batch.is_empty() {
            return Ok(());
        }
        first_error(batch)?;
        let schedule = self.tasks.schedule(batch);
        let mut at = 0;
        let result = loop {
            match catch_unwind(AssertUnwindSafe(|| {
                self.process_from(batch, &schedule, &mut at)
            })) {
                Ok(Ok(())) => break Ok(()),
                Ok(Err(interrupt)) => break Err(interrupt),
                Err(panic) => {
                    if let Err(interrupt) = self.fail_by_panic(batch, schedule.get(at), &*panic) {
                        break Err(interrupt);
                    }
                    at += 1;
                }
            }
        };
        self.tasks.reuse(schedule);
        result
    }

    fn process_from(
        &mut self,
        batch: &Batch<'_>,
        schedule: &[Scheduled],
        at: &mut usize,
    ) -> Result<(), Interrupt> {
        while let Some(scheduled) = schedule.get(*at) {
            if let Some(message) = batch.get(scheduled.message) {
                self.process_record(message, scheduled.input)?;
            }
            *at += 1;
            if self.checkpoint_is_due() {
                self.checkpoint(batch.consumer(), Progress::Records)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn process_record(
        &mut self,
        message: &OwnedMessage,
        scheduled: usize,
    ) -> Result<(), Interrupt> {
        let Some((input, active)) = self.tasks.input_mut(scheduled) else {
            return Ok(());
        };
        if input.is_behind(message.offset()) {
            return Ok(());
        }
        if self.output.begin()? {
            self.deadlines.transaction_began(self.shared.clock.now());
        }
        self.headers.clear();
        message.read_headers(&mut self.headers);
        match active
            .task
            .process(input.source, input_record(message, &self.headers))
        {
            Ok(()) => write_staged(active, &mut self.output)?,
            Err(failure) => self.fail(message, &failure)?,
        }
        self.done(scheduled, message.offset());
        Ok(())
    }

    fn done(&mut self, input: usize, offset: i64) {
        if let Some((input, _)) = self.tasks.input_mut(input) {
            input.advance(offset);
        }
        self.totals.processed += 1;
    }

    /// A panic of user code: the record fails, and its task goes on.
    fn fail_by_panic(
        &mut self,
        batch: &Batch<'_>,
        scheduled: Option<&Scheduled>,
        panic: &(dyn Any + Send),
    ) -> Result<(), Interrupt> {
        let located = scheduled.and_then(|s| Some((s.input, batch.get(s.message)?)));
        let Some((input, message)) = located else {
            return Err(Error::Panic(panic_text(panic)).into());
        };
        if let Some((_, active)) = self.tasks.input_mut(input) {
            active.task.recover_from_panic();
        }
        self.fail(message, &Failure::panicked(panic_text(panic)))?;
        self.done(input, message.offset());
        Ok(())
    }

    /// Does with a failed record what `on_error` says.
    #[cold]
    fn fail(&mut self, message: &OwnedMessage, failure: &Failure) -> Result<(), Interrupt> {
        let at = Location {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        };
        let shared = Arc::clone(&self.shared);
        let what = match decide(&shared.topology.config().on_error, failure, &at) {
            Decision::Fail => {
                return Err(Error::Record {
                    class: failure.class().to_string(),
                    topic: message.topic().to_owned(),
                    partition: message.partition(),
                    offset: message.offset(),
                    reason: failure.to_string(),
                }
                .into());
            }
            Decision::Skip => format!("{failure}; skipped"),
            Decision::DeadLetter { topic, headers } => {
                self.write_dead_letter(message, topic, &headers)?;
                format!("{failure}; written to `{topic}`")
            }
        };
        self.tell(&Event::RecordFailed {
            thread: self.index,
            partition: format!("{}-{}", at.topic, at.partition),
            offset: at.offset,
            what,
        });
        Ok(())
    }

    /// The record as it was read, with the reason behind its own headers, in the same transaction as everything else.
    fn write_dead_letter(
        &mut self,
        message: &OwnedMessage,
        topic: &str,
        reason: &Headers,
    ) -> Result<(), ClientError> {
        let mut headers = Headers::default();
        message.read_headers(&mut headers);
        for (name, value) in reason.iter() {
            headers.add(name, value);
        }
        let route = self.output.open(topic)?;
        let (key, value, timestamp) = (message.key(), message.value(), message.timestamp());
        self.output.write(
            route,
            &StagedRecord {
                topic: 0,
                key,
                value,
                timestamp,
                headers: &headers,
            },
        )
    }
}

/// Hands what a record staged over to the client: the record is done, nothing of it can fail any more in user code.
#[inline]
fn write_staged(active: &mut ActiveTask, output: &mut Output) -> Result<(), ClientError> {
    for record in active.task.staged().iter() {
        while active.routes.len() <= record.topic {
            let route = output.open(active.task.topic_name(active.routes.len()))?;
            active.routes.push(route);
        }
        if let Some(route) = active.routes.get(record.topic) {
            output.write(*route, &record)?;
        }
    }
    active.task.clear_staged();
    Ok(())
}

#[inline]
fn input_record<'a>(message: &'a OwnedMessage, headers: &'a Headers) -> InputRecord<'a> {
    InputRecord {
        key: message.key(),
        value: message.value(),
        timestamp: message.timestamp(),
        offset: message.offset(),
        headers,
    }
}

/// An error that came in place of a record.
fn first_error(batch: &Batch<'_>) -> Result<(), ClientError> {
    match batch.iter().find_map(|m| m.error().map(|code| (m, code))) {
        None => Ok(()),
        Some((message, code)) => {
            let what = format!(
                "{}-{}: {}",
                message.topic(),
                message.partition(),
                message.error_text()
            );
            let error = ClientError::new("reading records", code, what);
            // The client goes on by itself after what can be retried; the records of this batch are read again.
            Err(if error.remedy() == Remedy::Retry {
                error.with_remedy(Remedy::Abort)
            } else {
                error
            })
        }
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_checkpoint_is_due_after_the_interval() {
        let mut deadlines = Deadlines::new(Duration::from_secs(10), MINUTE, 0);
        assert_eq!(deadlines.due, 10_000);
        deadlines.checkpoint_taken(11_000);
        assert_eq!(deadlines.due, 21_000);
    }

    #[test]
    fn a_transaction_is_committed_long_before_its_timeout() {
        let mut deadlines = Deadlines::new(Duration::from_secs(59), MINUTE, 0);
        deadlines.transaction_began(5_000);
        assert_eq!(deadlines.due, 35_000);
    }

    #[test]
    fn an_interval_that_ends_earlier_stays() {
        let mut deadlines = Deadlines::new(Duration::from_secs(10), MINUTE, 0);
        deadlines.transaction_began(9_000);
        assert_eq!(deadlines.due, 10_000);
    }
}
