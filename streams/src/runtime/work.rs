//! What a stream thread does with records: through the tasks, into the output.
//!
//! It has everything of the thread but the consumer, so that a batch, which borrows the consumer, can be processed.

use super::deadlines::Deadlines;
use super::event::Event;
use super::output::{Output, Route};
use super::progress::Progress;
use super::schedule::Scheduled;
use super::shared::Shared;
use super::tasks::{ActiveTask, Phase, Tasks};
use crate::Error;
use crate::config::Guarantee;
use crate::kafka::batch::{Batch, OwnedMessage};
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::processor::{Failure, HeaderUse, Headers, InputRecord, Task};
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

/// Where processing stands still within a batch.
enum Pause {
    /// At its end.
    Processed,
    CheckpointDue,
}

/// After how many records the size of the state that is not committed is looked at.
const LOOK_AT_STATE: usize = 64;

/// How often the group is told, within a batch, that the member is alive.
const KEEP_ALIVE_MS: u64 = 1_000;

pub(super) struct Work {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) tasks: Tasks,
    pub(super) output: Output,
    pub(super) totals: Totals,
    pub(super) deadlines: Deadlines,
    /// By the job's clock, in milliseconds.
    alive_until: u64,
    /// How many bytes of updates may wait in the record caches of the tasks.
    pub(super) cache_bytes: usize,
    /// By store.
    pub(super) changelog_topics: Vec<Arc<str>>,
    headers: Headers,
}

impl Work {
    pub(super) fn new(shared: Arc<Shared>, index: usize, tasks: Tasks, output: Output) -> Self {
        let config = shared.topology.config();
        let deadlines = Deadlines::new(
            config.checkpoint_interval(),
            match config.guarantee {
                Guarantee::ExactlyOnce => Some(config.transaction_timeout()),
                Guarantee::AtLeastOnce => None,
            },
            shared.clock.now(),
        );
        let application_id = shared.topology.application_id();
        let stores = shared.topology.graph().stores.iter();
        let changelog_topics = stores
            .map(|store| store.changelog_topic(application_id).into())
            .collect();
        let cache_bytes = config.cache_bytes_per_thread();
        Self {
            cache_bytes,
            changelog_topics,
            shared,
            index,
            tasks,
            output,
            totals: Totals::default(),
            deadlines,
            alive_until: 0,
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
                Duration::from_millis(self.deadlines.due().saturating_sub(self.shared.clock.now()))
            }
            None => Duration::MAX,
        }
    }

    /// Whether the interval is over, or the transaction comes near its timeout or its size limit.
    #[inline]
    pub(super) fn checkpoint_is_due(&self) -> bool {
        self.shared.clock.now() >= self.deadlines.due() || self.output.is_full()
    }

    /// Whether stores have changed so much that it should be committed now: until then it is in memory, and then it is written
    /// to changelogs in the same transaction.
    pub(super) fn state_is_full(&self) -> bool {
        let bytes = self.tasks.unapplied_bytes();
        bytes >= self.shared.topology.config().uncommitted_state_bytes
            || self.output.is_full_with(bytes)
    }

    /// The checkpoint interval begins anew: nothing waits for a commit.
    pub(super) fn restart_interval(&mut self) {
        self.deadlines.checkpoint_taken(self.shared.clock.now());
    }

    /// Processes a batch, with checkpoints in between where they are due.
    ///
    /// User code may panic: what it was called for is then the record at the place where the schedule stands, which is
    /// handled as any record that fails, and the rest of the batch goes on.
    pub(super) fn process(&mut self, batch: &mut Batch<'_>) -> Result<(), Interrupt> {
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
                Ok(Ok(Pause::Processed)) => break Ok(()),
                Ok(Ok(Pause::CheckpointDue)) => {
                    // Not where panics are caught: what goes wrong in it is no record's fault.
                    if let Err(interrupt) = self.checkpoint(batch.consumer(), Progress::Records) {
                        break Err(interrupt);
                    }
                }
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
        batch: &mut Batch<'_>,
        schedule: &[Scheduled],
        at: &mut usize,
    ) -> Result<Pause, Interrupt> {
        while let Some(scheduled) = schedule.get(*at) {
            if let Some(message) = batch.get(scheduled.message) {
                self.process_record(message, scheduled.input)?;
                batch.release(scheduled.message);
            }
            *at += 1;
            let now = self.shared.clock.now();
            if now >= self.alive_until {
                self.alive_until = now + KEEP_ALIVE_MS;
                batch.consumer().keep_alive()?;
            }
            if self.checkpoint_is_due() || at.is_multiple_of(LOOK_AT_STATE) && self.state_is_full()
            {
                return Ok(Pause::CheckpointDue);
            }
        }
        Ok(Pause::Processed)
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
        // A task that waits for its state is read again from where it begins.
        let Phase::Running(task) = &mut active.phase else {
            return Ok(());
        };
        if let Some(expected) = input.expected_instead_of(message.offset()) {
            return Err(behind(message, expected).into());
        }
        if self.output.begin()? {
            self.deadlines.transaction_began(self.shared.clock.now());
        }
        self.headers.clear();
        if task.headers(input.source) == HeaderUse::Keep {
            message.read_headers(&mut self.headers);
        }
        let failure = match message.timestamp() {
            negative @ ..0 => Some(Failure::timestamp(negative)),
            _ => task
                .process(input.source, input_record(message, &self.headers))
                .err(),
        };
        let failure = match failure {
            None => write_staged(active, &mut self.output)?,
            failed => failed,
        };
        if let Some(failure) = failure {
            self.fail(message, &failure)?;
        }
        self.done(scheduled, message.offset())
    }

    /// A record is done; punctuators that its timestamp has made due come next, as in Kafka Streams.
    #[inline]
    pub(super) fn done(&mut self, input: usize, offset: i64) -> Result<(), Interrupt> {
        self.totals.processed += 1;
        if let Some((input, active)) = self.tasks.input_mut(input) {
            input.advance(offset);
            let task = input.task;
            if active
                .running()
                .is_some_and(|task| task.is_punctuation_due())
            {
                self.punctuate_task(task)?;
            }
            if self.cache_bytes > 0 {
                return self.evict(task);
            }
        }
        Ok(())
    }
}

/// Hands what a record staged over to the client: all of it, or nothing and the failure of the record.
#[inline]
pub(super) fn write_staged(
    active: &mut ActiveTask,
    output: &mut Output,
) -> Result<Option<Box<Failure>>, ClientError> {
    let ActiveTask { phase, routes, .. } = active;
    let Phase::Running(task) = phase else {
        return Ok(None);
    };
    let refused = first_refused(task, routes, output)?;
    if refused.is_some() {
        task.refuse();
        return Ok(refused);
    }
    for record in task.staged().iter() {
        if let Some(route) = routes.get(record.topic).copied().flatten() {
            output.write(route, &record)?;
        }
    }
    task.accept();
    Ok(None)
}

/// Opens the topics of what a record staged, and says why one of its outputs cannot be written.
#[inline]
fn first_refused(
    task: &Task,
    routes: &mut Vec<Option<Route>>,
    output: &mut Output,
) -> Result<Option<Box<Failure>>, ClientError> {
    for record in task.staged().iter() {
        let route = match routes.get(record.topic).copied().flatten() {
            Some(route) => route,
            None => match output.open_topic(task.topic_name(record.topic)) {
                Err(error) if error.is_no_topic() => {
                    return Ok(Some(Failure::not_written(error.to_string())));
                }
                opened => remember(routes, record.topic, opened?),
            },
        };
        if let Some(reason) = output.refuses(route, &record) {
            return Ok(Some(Failure::not_written(reason)));
        }
    }
    Ok(None)
}

#[cold]
fn remember(routes: &mut Vec<Option<Route>>, topic: usize, route: Route) -> Route {
    routes.resize(routes.len().max(topic + 1), None);
    if let Some(place) = routes.get_mut(topic) {
        *place = Some(route);
    }
    route
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

/// A record that was processed already, or belongs to another log: the log and the position are looked at.
#[cold]
fn behind(message: &OwnedMessage, expected: i64) -> ClientError {
    let what = format!(
        "{}-{}: a record at offset {} came, where {expected} or a later one was expected",
        message.topic(),
        message.partition(),
        message.offset()
    );
    ClientError::new("reading records", Code::Inconsistent, what).with_remedy(Remedy::Reposition)
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
