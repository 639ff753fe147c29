//! One store's way to the end of its changelog.

use super::event::{Restore, RestoreStatus};
use super::failing::{ended_by, panic_text};
use super::logs::Log;
use super::store_start;
use super::table_size::{Stage, table_bytes};
use super::tables::Tables;
use crate::config::OnError;
use crate::fail_point::{FailPoint, pass};
use crate::kafka::TopicPartition;
use crate::kafka::batch::OwnedMessage;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::topic_ids::TopicIds;
use crate::processor::{Decision, Failure, Location, TaskId, decide};
use crate::serde::Written;
use crate::state::{Committed, RestoreBatch, Row, StoreId, StoreSpec};
use crate::{Error, Result};

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How often a long restore tells how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// For so long nothing may come before that is told.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// For so long nothing may come before it is looked whether the topic is still there; and so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A topic that is said not to be there, or to be another one, for so long is so: a broker may not know it yet.
pub(super) const WRONG_AFTER: Duration = Duration::from_secs(20);

/// What was read is in memory for so long at most: more is not read again after a crash.
const WRITE_EVERY: Duration = Duration::from_secs(1);

pub(super) struct StoreRestore {
    pub(super) store: StoreId,
    spec: StoreSpec,
    pub(super) log: Log,
    /// Where it began; behind what it had.
    pub(super) from: i64,
    /// Where it is read on.
    position: i64,
    /// What was read up to there and was not handed to the store yet.
    unwritten: RestoreBatch,
    /// The offset up to which what was read was handed to the store.
    handed: i64,
    /// What was handed to the store and may not be in it yet.
    tables: Tables,
    /// The offset that the store has.
    written: i64,
    written_at: Instant,
    /// For the record that is being read, where the topic of a table is the changelog.
    row: Row,
    on_error: OnError,
    /// Records of the topic of a table that are no rows of this store.
    left_out: LeftOut,
    records: u64,
    bytes: u64,
    started: Instant,
    told: Instant,
    times_told: u32,
    /// When it last got on.
    moved: Instant,
    warned: Instant,
    /// When it was last looked whether its topic is there, and since when it is not.
    looked: Instant,
    wrong_since: Option<Instant>,
}

/// Records that a restore has left out, with the first of them and why.
#[derive(Default)]
struct LeftOut {
    records: u64,
    first: Option<(i64, String)>,
}

impl LeftOut {
    fn add(&mut self, offset: i64, why: impl fmt::Display) {
        self.records += 1;
        self.first.get_or_insert_with(|| (offset, why.to_string()));
    }
}

impl StoreRestore {
    pub(super) fn new(
        store: StoreId,
        spec: StoreSpec,
        log: Log,
        from: i64,
        on_error: &OnError,
    ) -> Self {
        let now = Instant::now();
        Self {
            store,
            spec,
            log,
            from,
            position: from,
            unwritten: RestoreBatch::default(),
            row: Row::default(),
            on_error: on_error.clone(),
            left_out: LeftOut::default(),
            handed: from,
            tables: Tables::default(),
            written: from,
            written_at: now,
            records: 0,
            bytes: 0,
            started: now,
            told: now,
            times_told: 0,
            moved: now,
            warned: now,
            looked: now,
            wrong_since: None,
        }
    }

    /// Whether the store has all that its changelog had.
    pub(super) fn is_done(&self) -> bool {
        self.written >= self.log.end
    }

    /// Whether all was read: what is left to do is waiting for a table.
    pub(super) fn is_read(&self) -> bool {
        self.handed >= self.log.end
    }

    /// Where it is read on, while it is not done.
    pub(super) fn to_read(&self) -> Option<(TopicPartition, i64)> {
        (!self.is_done()).then(|| (self.log.changelog.clone(), self.position))
    }

    pub(super) fn unwritten_bytes(&self) -> usize {
        self.unwritten.bytes()
    }

    pub(super) fn handed_bytes(&self) -> usize {
        self.tables.bytes()
    }

    fn is_of(&self, message: &OwnedMessage) -> bool {
        message.partition() == self.log.changelog.partition
            && message.topic() == &*self.log.changelog.topic
    }

    /// Whether the log does not have the position any more; another error of its partition is the caller's.
    pub(super) fn is_cut_off(&self, messages: &[OwnedMessage]) -> Result<bool> {
        let Some((message, code)) = messages
            .iter()
            .filter(|message| message.error().is_some() && self.is_of(message))
            .find_map(|message| Some((message, message.error()?)))
        else {
            return Ok(false);
        };
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                tracing::warn!(
                    "the changelog {} has no offset {} any more: the state store `{}` is restored from its beginning",
                    self.log.changelog,
                    self.position,
                    self.spec.name
                );
                Ok(true)
            }
            _ => {
                let what = message.error_text();
                let error = ClientError::new("restoring", code, what);
                match error.remedy() {
                    Remedy::Fail => Err(Error::Client(format!("{}: {error}", self.log.changelog))),
                    // The client mends it by itself.
                    _ => Ok(false),
                }
            }
        }
    }

    /// Takes its records from what has arrived, which reaches to these positions.
    pub(super) fn take(
        &mut self,
        messages: &[OwnedMessage],
        positions: &[(TopicPartition, i64)],
        committed: &dyn Committed,
    ) -> Result<()> {
        let before = self.position;
        for message in messages {
            if message.error().is_some() || !self.is_of(message) || message.offset() < self.position
            {
                continue;
            }
            if self.is_for_the_task(message.offset()) {
                break;
            }
            self.position = message.offset() + 1;
            self.records += 1;
            let Some(key) = message.key() else {
                continue;
            };
            self.bytes += (key.len() + message.value().map_or(0, <[u8]>::len)) as u64;
            self.push(message, key, committed)?;
        }
        let reached = positions.iter().find(|(p, _)| *p == self.log.changelog);
        if let Some((_, reached)) = reached {
            let reached = match self.is_for_the_task(*reached) {
                true => self.log.end,
                false => *reached,
            };
            self.position = self.position.max(reached);
        }
        if self.position > before {
            self.moved = Instant::now();
        }
        Ok(())
    }

    /// Whether what is there is for the task to process, an input of which is the changelog.
    fn is_for_the_task(&self, offset: i64) -> bool {
        self.spec.source.is_some() && offset >= self.log.end
    }

    fn push(
        &mut self,
        message: &OwnedMessage,
        key: &[u8],
        committed: &dyn Committed,
    ) -> Result<()> {
        let (value, timestamp) = (message.value(), message.timestamp());
        let kind = self.spec.kind;
        let Some(source) = &self.spec.source else {
            if !kind.reads(key, value) {
                return Err(store_start::unreadable(
                    &self.spec.name,
                    &self.log,
                    message.offset(),
                ));
            }
            self.unwritten.push(kind, key, value, timestamp);
            return Ok(());
        };
        let row = &mut self.row;
        // User code may panic, as it did when the record was processed.
        let read = catch_unwind(AssertUnwindSafe(|| source.rows.read(key, value, row)));
        let written = match read {
            _ if timestamp < 0 => return self.fail(message, &Failure::timestamp(timestamp)),
            Ok(Ok(written)) => written,
            Ok(Err(error)) => return self.fail(message, &Failure::unreadable("record", error)),
            Err(panic) => return self.fail(message, &Failure::panicked(panic_text(&*panic))),
        };
        let Row { key, value } = &self.row;
        // One that was processed would have ended the job: it is from before the job, or from where its store was another.
        if let Err(refusal) = committed.takes(key) {
            self.left_out.add(message.offset(), refusal);
            return Ok(());
        }
        let value = (written == Written::Bytes).then_some(&**value);
        self.unwritten.push(kind, key, value, timestamp);
        Ok(())
    }

    /// A record that cannot be made a row. What the table has of it is what `on_error` has made of it when it was processed:
    /// nothing, or the job has not got past it.
    #[cold]
    fn fail(&mut self, message: &OwnedMessage, failure: &Failure) -> Result<()> {
        let at = Location {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        };
        if decide(&self.on_error, failure, &at) == Decision::Fail {
            let reason = format!(
                "{failure}; the state store `{}` is restored from there, and a table whose record was left out when it was \
                 processed can be restored only where `on_error` leaves it out again (`skip`)",
                self.spec.name
            );
            return Err(ended_by(failure, &at, reason));
        }
        self.left_out.add(at.offset, failure);
        Ok(())
    }

    /// Warns once of all that was left out.
    pub(super) fn warn_of_left_out(&self) {
        if let Some((offset, why)) = &self.left_out.first {
            tracing::warn!(
                "restoring store `{}`: {} of the records read of {} are no rows of it and were left out; the first one, at offset \
                 {offset}: {why}",
                self.spec.name,
                self.left_out.records,
                self.log.changelog
            );
        }
    }

    /// Warns, again and again, while nothing comes. There is no giving up: what is in the way may be a transaction of a dead
    /// process, which the brokers end when its time is over.
    pub(super) fn warn_of_stall(&mut self, task: TaskId) {
        let stands = self.moved.elapsed();
        if self.is_done() || stands < STALLED_AFTER || self.warned.elapsed() < STALLED_AFTER {
            return;
        }
        self.warned = Instant::now();
        tracing::warn!(
            "restoring store `{}` of task {task}: nothing has come for {stands:.0?}, and {} is read to {} of {}; see whether the \
             partition has a leader, and whether a transaction is open in it",
            self.spec.name,
            self.log.changelog,
            self.position,
            self.log.end
        );
    }

    /// Whether it is time to look if the topic is still there.
    pub(super) fn must_look(&mut self) -> bool {
        let must_look = !self.is_read()
            && self.moved.elapsed() > LOOK_EVERY
            && self.looked.elapsed() > LOOK_EVERY;
        if must_look {
            self.looked = Instant::now();
        }
        must_look
    }

    /// Looks whether it is.
    pub(super) fn look_at(&mut self, told: &TopicIds) -> Result<()> {
        // Another topic of a table is read as it is, the next time.
        let then = self.log.topic.filter(|_| self.spec.source.is_none());
        let Some(wrong) = store_start::wrong_topic(&self.log.changelog.topic, told, then) else {
            self.wrong_since = None;
            return Ok(());
        };
        match self.wrong_since.get_or_insert_with(Instant::now).elapsed() {
            wrong_for if wrong_for > WRONG_AFTER => Err(Error::State(wrong)),
            _ => Ok(()),
        }
    }

    /// The error of a store that has rows of a task of which the group has no committed offsets.
    pub(super) fn without_offsets(&self, group: &str, task: TaskId) -> Error {
        store_start::without_offsets(&self.spec.name, &self.log, group, task)
    }

    pub(super) fn has_unwritten(&self) -> bool {
        self.position > self.handed
    }

    /// Whether there is no more to read, or what was read has been in memory for long.
    pub(super) fn must_write(&self) -> bool {
        self.has_unwritten()
            && (self.position >= self.log.end || self.written_at.elapsed() > WRITE_EVERY)
    }

    /// Whether enough was read for a table, which has `most` bytes at the most.
    pub(super) fn has_table(&self, most: usize) -> bool {
        let stage = match self.handed > self.from {
            true => Stage::Left(self.bytes_left()),
            false => Stage::Beginning,
        };
        self.unwritten_bytes() >= table_bytes(stage, most)
    }

    /// How much is still to be read, if it is like what was read.
    fn bytes_left(&self) -> usize {
        let (left, read) = (self.log.end - self.position, self.position - self.from);
        let bytes = self.bytes as f64 * left.max(0) as f64 / read.max(1) as f64;
        bytes as usize
    }

    /// Hands what was read to the store, with the offset that it reaches, all or nothing; keeps so many bytes of memory for
    /// what comes. Much of it is written meanwhile.
    pub(super) fn write(&mut self, committed: &mut dyn Committed, keep: usize) -> Result<()> {
        let ingestion = committed.ingestion(self.unwritten.bytes());
        match ingestion? {
            Some(ingestion) => {
                let Self {
                    tables, unwritten, ..
                } = self;
                tables.start(ingestion, unwritten, self.position, keep)?;
            }
            None => {
                self.finish_tables()?;
                let restored = committed.restore(&mut self.unwritten, self.position);
                restored?;
                pass(FailPoint::InRestore);
                self.unwritten.clear(keep);
                self.written = self.position;
            }
        }
        self.handed = self.position;
        self.written_at = Instant::now();
        Ok(())
    }

    /// Waits until what was handed to the store first is out of memory.
    pub(super) fn take_oldest_back(&mut self) {
        self.tables.take_oldest_back();
    }

    /// Notices that tables were written.
    pub(super) fn notice_tables(&mut self) -> Result<()> {
        match self.tables.are_finished() {
            true => self.finish_tables(),
            false => Ok(()),
        }
    }

    /// Waits until the tables that are being written are there.
    pub(super) fn finish_tables(&mut self) -> Result<()> {
        if let Some(offset) = self.tables.finish()? {
            self.written = offset;
            pass(FailPoint::InRestore);
        }
        Ok(())
    }

    /// Whether it is time to tell how far it is.
    pub(super) fn must_tell(&mut self) -> bool {
        let must_tell = self.told.elapsed() > TELL_EVERY && !self.is_done();
        if must_tell {
            self.told = Instant::now();
            self.times_told += 1;
        }
        must_tell
    }

    /// How far it is, while it is worked on.
    pub(super) fn progress(&self, thread: usize, task: TaskId) -> Restore {
        let status = match self.is_done() {
            true => RestoreStatus::Completed,
            false => RestoreStatus::Restoring,
        };
        self.told(thread, task, status)
    }

    /// How far it came, when nobody works on it any more.
    pub(super) fn outcome(&self, thread: usize, task: TaskId) -> Restore {
        let status = match self.is_done() {
            true => RestoreStatus::Completed,
            false => RestoreStatus::Suspended,
        };
        self.told(thread, task, status)
    }

    fn told(&self, thread: usize, task: TaskId, status: RestoreStatus) -> Restore {
        Restore {
            thread,
            task: task.to_string(),
            store: self.spec.name.clone(),
            changelog: self.log.changelog.to_string(),
            from: self.from,
            position: self.position,
            end: self.log.end,
            records: self.records,
            bytes: self.bytes,
            took: self.started.elapsed(),
            number: self.times_told,
            status,
        }
    }
}
