//! Global tables: every process reads their topics whole, outside of the group.
//!
//! A job begins when each table has all that was in its topic then; from there on a thread of its own follows the topics.
//! Tables on disk are read on from where the last process was; those in memory are read anew at each start: their topics are
//! their changelogs.

use super::event::{Event, Listener};
use super::failing::panic_text;
use super::global_topics::GlobalTopics;
use super::kept_positions::{KeptPosition, kept_positions};
use super::lifecycle::JobState;
use super::patience::Patience;
use super::shared::Shared;
use super::stop::Stop;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::batch::OwnedMessage;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::offsets::LogEnd;
use crate::kafka::properties::Properties;
use crate::kafka::reader::{PartitionReader, spoil_positions};
use crate::kafka::topic_ids::TopicIds;
use crate::processor::{
    Decision, GlobalReader, Headers, InputRecord, Location, decide, process_global,
};
use crate::state::{Backends, GlobalState, Reached};
use crate::topology::Topology;
use crate::{Error, Result};

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// For one question about the ends of the topics.
const LOGS_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after something that may go well a little later.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long it may go without success before the job ends.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

/// How long one wait for records may take: the end of the job is noticed after it.
const READ_WAIT: Duration = Duration::from_millis(50);

/// For the question how many partitions a topic has: the end of the job waits for it.
const PARTITIONS_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a long start tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The global tables of a process, as they are filled.
pub(crate) struct Globals {
    topology: Topology,
    state: Arc<GlobalState>,
    properties: Properties,
    /// `None` when a new one is due, whose positions are right.
    reader: Option<PartitionReader>,
    logs: Admin,
    /// Where each partition is read on.
    positions: BTreeMap<TopicPartition, i64>,
    /// What is kept of that for the next process.
    kept: Vec<KeptPosition>,
    topics: GlobalTopics,
    listener: Listener,
    stop: Arc<Stop>,
    /// Since when nothing goes well.
    failing_since: Option<Instant>,
}

/// Why a turn came to nothing.
enum Trouble {
    /// The next one may go well.
    Passing(ClientError),
    Lasting(Error),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error.remedy() {
            Remedy::Fail => Self::Lasting(Error::Client(error.to_string())),
            _ => Self::Passing(error),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

/// The thread that follows the topics; it ends when this is dropped.
pub(crate) struct Following {
    ended: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Following {
    /// Waits until it has let go of the tables: whoever starts the job again in this process opens them again.
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::debug!("the thread of the global tables panicked");
        }
    }
}

impl Following {
    /// What has ended it, if anything.
    pub(crate) fn failure(&self) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }
}

impl Globals {
    /// Reads all that is in the topics now; `None` if there is no global table. `partitions` tells how many a topic has.
    pub(crate) fn read(
        topology: &Topology,
        properties: &Properties,
        partitions: &BTreeMap<String, i32>,
        ids: &TopicIds,
        stores: &Backends,
        listener: Listener,
        stop: Arc<Stop>,
    ) -> Result<Option<Self>> {
        let tables = &topology.graph().global_tables;
        if tables.is_empty() {
            return Ok(None);
        }
        let client = |e: ClientError| Error::Client(format!("reading the global tables: {e}"));
        let count = |topic: &String| partitions.get(topic).copied().unwrap_or(0);
        let counts = tables
            .iter()
            .map(|table| (table.topic.clone(), count(&table.topic)));
        let counts: BTreeMap<String, i32> = counts.collect();
        let all = counts
            .iter()
            .flat_map(|(topic, count)| (0..*count).map(|p| TopicPartition::new(topic.as_str(), p)));
        let all: Vec<TopicPartition> = all.collect();
        let logs = Admin::new(properties).map_err(client)?;
        let log_offsets = |at| {
            let asked = Patience::new(GIVE_UP_AFTER, &stop);
            asked
                .repeat(|wait| logs.log_offsets(&all, at, wait))
                .map_err(client)
        };
        let (starts, ends) = (log_offsets(LogEnd::First)?, log_offsets(LogEnd::Last)?);
        let logs_of: BTreeMap<_, _> = all
            .iter()
            .cloned()
            .zip(starts.into_iter().zip(ends))
            .collect();
        let (mut rows, mut kept) = (Vec::new(), Vec::new());
        for table in tables {
            let mut store = stores.open_global(table, count(&table.topic))?;
            let kept_here =
                kept_positions(&table.topic, &mut store, &logs_of, ids.of(&table.topic))?;
            rows.push(store.entries);
            kept.extend(kept_here);
        }
        let mut globals = Self {
            topology: topology.clone(),
            state: Arc::new(GlobalState::new(rows)),
            properties: properties.clone(),
            reader: None,
            logs,
            positions: kept
                .iter()
                .map(|kept| (kept.partition.clone(), kept.written))
                .collect(),
            kept,
            topics: GlobalTopics::new(counts, properties.metadata_age()),
            listener,
            stop,
            failing_since: None,
        };
        let ends = logs_of
            .into_iter()
            .map(|(partition, (_, end))| (partition, end));
        globals.catch_up(&ends.collect())?;
        Ok(Some(globals))
    }

    pub(crate) fn state(&self) -> &Arc<GlobalState> {
        &self.state
    }

    /// The reader; a new one reads on where each partition stands.
    fn reader(&mut self) -> Result<&mut PartitionReader, ClientError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let group = self.topology.application_id();
                let mut reader = PartitionReader::new(&self.properties, group)?;
                let positions = self.positions.iter().map(|(p, at)| (p.clone(), *at));
                reader.assign(&positions.collect::<Vec<_>>())?;
                reader
            }
        };
        Ok(self.reader.insert(reader))
    }

    fn catch_up(&mut self, ends: &BTreeMap<TopicPartition, i64>) -> Result<()> {
        let started = Instant::now();
        let (mut told, mut moved) = (started, started);
        let mut records = 0;
        let mut least = i64::MAX;
        loop {
            let missing: i64 = ends
                .iter()
                .map(|(p, end)| (end - self.positions.get(p).unwrap_or(&0)).max(0))
                .sum();
            if missing == 0 {
                self.listener.tell(&Event::GlobalTablesRead {
                    records,
                    took: started.elapsed(),
                });
                return Ok(());
            }
            if self.stop.is_asked() {
                return Err(Error::Client(format!(
                    "stopped while the global tables were read, with {missing} offsets to go"
                )));
            }
            if missing < least {
                (least, moved) = (missing, Instant::now());
            } else if moved.elapsed() > GIVE_UP_AFTER {
                return Err(Error::Client(self.lagging(ends)));
            }
            if told.elapsed() > TELL_EVERY {
                told = Instant::now();
                tracing::info!("reading the global tables: {missing} offsets to go");
            }
            records += self.turn()?;
        }
    }

    /// Which partitions do not go on.
    fn lagging(&self, ends: &BTreeMap<TopicPartition, i64>) -> String {
        let at = |p: &TopicPartition| self.positions.get(p).copied().unwrap_or(0);
        let lagging = ends.iter().filter(|(p, end)| at(p) < **end);
        let lagging: Vec<String> = lagging
            .map(|(p, end)| format!("{p} is read to {} of {end}", at(p)))
            .collect();
        format!(
            "reading the global tables: nothing has come for {} s, and not all is there: {}; see whether the partitions have \
             leaders, and whether a transaction is open in them",
            GIVE_UP_AFTER.as_secs(),
            lagging.join(", ")
        )
    }

    /// Starts the thread that reads on. An error of it ends the job.
    pub(crate) fn follow(mut self, shared: &Arc<Shared>) -> Result<Following> {
        let mut following = Following {
            ended: Arc::default(),
            failure: Arc::default(),
            thread: None,
        };
        let (ended, failure) = (following.ended.clone(), following.failure.clone());
        let (stop, state) = (Arc::clone(&shared.stop), shared.state.clone());
        let follow = move || {
            while !ended.load(Ordering::Relaxed) {
                let turn = catch_unwind(AssertUnwindSafe(|| self.follow_once()));
                // In silence the job would go on with the rows of before.
                let turn = turn.unwrap_or_else(|panic| Err(Error::Panic(panic_text(&*panic))));
                if let Err(error) = turn {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    state.become_next(JobState::Stopping);
                    stop.ask();
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("streams-globals".into());
        let thread = thread.spawn(follow).map_err(|source| Error::Io {
            what: "starting the thread of the global tables".into(),
            source,
        })?;
        following.thread = Some(thread);
        Ok(following)
    }

    fn follow_once(&mut self) -> Result<()> {
        self.turn()?;
        let due = self.topics.due();
        if due.is_empty() {
            return Ok(());
        }
        // One that cannot be made is the next turn's to tell.
        let Ok(reader) = self.reader() else {
            return Ok(());
        };
        let count = |topic: String| {
            let found = reader.partition_count(&topic, PARTITIONS_TIMEOUT);
            (topic, found)
        };
        let found: Vec<_> = due.into_iter().map(count).collect();
        self.topics.compare(&found)
    }

    /// Applies what has arrived, and says how many records that were. What may go well a little later is tried again.
    fn turn(&mut self) -> Result<u64> {
        let error = match self.read_on() {
            Ok(records) => {
                self.failing_since = None;
                return Ok(records);
            }
            Err(Trouble::Lasting(error)) => return Err(error),
            Err(Trouble::Passing(error)) => error,
        };
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() > GIVE_UP_AFTER {
            return Err(Error::Client(error.to_string()));
        }
        tracing::debug!(%error, "the global tables: trying again");
        self.reader = None;
        std::thread::sleep(RETRY_PAUSE);
        Ok(0)
    }

    fn read_on(&mut self) -> Result<u64, Trouble> {
        let mut records = 0;
        let messages = self.reader()?.read(READ_WAIT);
        for message in &messages {
            match message.error() {
                None => {
                    self.apply(message)?;
                    records += 1;
                }
                Some(code) => self.handle(message, code)?,
            }
        }
        if spoil_positions(&messages) {
            // The client goes after its messages. What was read since the positions were right is read, and applied, once
            // more.
            drop(messages);
            self.reader = None;
            std::thread::sleep(RETRY_PAUSE);
            return Ok(records);
        }
        for (partition, position) in self.reader()?.positions()? {
            if let Some(at) = self.positions.get_mut(&partition) {
                *at = (*at).max(position);
            }
        }
        self.keep_positions()?;
        Ok(records)
    }

    fn keep_positions(&mut self) -> Result<()> {
        for kept in &mut self.kept {
            let position = self.positions.get(&kept.partition).copied();
            if let Some(position) = position.filter(|at| *at != kept.written) {
                let nothing = &mut std::iter::empty();
                let written = kept.store.apply(nothing, Some(Reached::Read(position)));
                written?;
                kept.written = position;
            }
        }
        Ok(())
    }

    fn reader_of(&self, topic: &str) -> Option<Arc<dyn GlobalReader>> {
        let mut tables = self.topology.graph().global_tables.iter();
        let table = tables.find(|table| table.topic == topic)?;
        Some(Arc::clone(&table.reader))
    }

    fn apply(&self, message: &OwnedMessage) -> Result<()> {
        let Some(reader) = self.reader_of(message.topic()) else {
            return Ok(());
        };
        let input = InputRecord {
            key: message.key(),
            value: message.value(),
            timestamp: message.timestamp(),
            offset: message.offset(),
            headers: Headers::EMPTY,
        };
        let Err(failure) = process_global(&*reader, &self.state, input) else {
            return Ok(());
        };
        let at = Location {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        };
        match decide(&self.topology.config().on_error, &failure, &at) {
            // There is no transaction that a dead letter could be part of, and another process reads the record too.
            Decision::Skip | Decision::DeadLetter { .. } => {
                tracing::warn!(
                    "global table: record at offset {} of {}-{}: {failure}; skipped",
                    at.offset,
                    at.topic,
                    at.partition
                );
                Ok(())
            }
            Decision::Fail => Err(Error::Record {
                class: failure.class().to_string(),
                topic: at.topic.to_owned(),
                partition: at.partition,
                offset: at.offset,
                reason: failure.to_string(),
            }),
        }
    }

    /// What an error of a partition asks for, beside a new reader.
    fn handle(&mut self, message: &OwnedMessage, code: Code) -> Result<(), Trouble> {
        let error = ClientError::new("reading the global tables", code, message.error_text());
        match error.remedy() {
            // Retention has taken records before they were read: reading goes on with those that are there.
            Remedy::Reposition => Ok(self.go_to_the_start(message)?),
            Remedy::Fail => Err(error.into()),
            // The client gets over it by itself.
            _ => Ok(()),
        }
    }

    fn go_to_the_start(&mut self, message: &OwnedMessage) -> Result<(), ClientError> {
        let partition = TopicPartition::new(message.topic(), message.partition());
        let asked = std::slice::from_ref(&partition);
        let start = self.logs.log_offsets(asked, LogEnd::First, LOGS_TIMEOUT)?;
        if let (Some(at), Some(start)) = (self.positions.get_mut(&partition), start.first()) {
            *at = *start;
        }
        Ok(())
    }
}
