//! Runs a topology record by record, on the same tasks as a job.

use super::checkpoints::Checkpoints;
use super::{RawRecord, TestRecord};
use crate::processor::{
    Decision, Failure, GlobalReader, InputRecord, Location, ProcessorFailure, SourceId, Task,
    TaskId, decide, decide_punctuation, partition_for_key, process_global,
};
use crate::serde::{Serializer, TopicKey, TopicValue, Written};
use crate::state::GlobalState;
use crate::topology::{TopicRef, Topology};
use crate::{Error, Result};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Runs a topology without a broker, on the same tasks as a job: a record is piped in and goes through to the end, then
/// the outputs can be read.
///
/// ```
/// use streams::prelude::*;
/// use streams::testing::TestRecord;
///
/// let builder = TopologyBuilder::new("app");
/// builder.stream::<String, i64>("numbers").filter(|_, n| *n > 1).to("big");
///
/// let mut driver = TopologyTestDriver::new(builder.build())?;
/// driver.pipe("numbers", "a", &1_i64)?;
/// driver.pipe_record("numbers", &TestRecord::new("b".to_owned(), 2_i64).at(17).header("origin", "test"))?;
///
/// let big = driver.read::<String, i64>("big")?;
/// assert_eq!(big, [TestRecord::new("b".to_owned(), 2).at(17).header("origin", "test")]);
/// # Ok::<(), streams::Error>(())
/// ```
///
/// Records that fail go where the topology's `on_error` says; under `fail` piping returns the error, and the driver can be
/// used further. A panic of user code is such a failure, as it is in a job.
///
/// Behind each record comes a checkpoint, as in Kafka Streams' own driver: what a record cache holds
/// ([`statestore_cache_max_bytes`](crate::JobConfig::statestore_cache_max_bytes)) is sent on at once, unless
/// [`checkpoints_by_hand`](Self::checkpoints_by_hand) says otherwise.
pub struct TopologyTestDriver {
    pub(super) topology: Topology,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) globals: Arc<GlobalState>,
    /// How many partitions a topic has that says nothing else.
    partitions: i32,
    /// The next offset of each input partition.
    offsets: HashMap<(String, i32), i64>,
    pub(super) outputs: BTreeMap<String, VecDeque<RawRecord>>,
    pub(super) checkpoints: Checkpoints,
    now: i64,
}

/// Who a record is given to.
enum Reader {
    Task(TaskId, SourceId),
    GlobalTable(Arc<dyn GlobalReader>),
}

impl TopologyTestDriver {
    /// A driver of this topology, with the tasks of partition 0, whose wall clock stands at zero. Its topics have one
    /// partition.
    ///
    /// # Errors
    ///
    /// If the topology is wrong, or a processor cannot get ready.
    pub fn new(topology: Topology) -> Result<Self> {
        Self::with_partitions(topology, NonZero::<u16>::MIN)
    }

    /// A driver of this topology whose topics have this many partitions, but for repartition topics with a number of their own:
    /// what comes to another partition is processed by another task, with stores of its own. Keys choose partitions as they
    /// do in a job, and records without one go to partition 0.
    ///
    /// ```
    /// use std::num::NonZero;
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<String, String>("words");
    /// words.group_by(|_, word| word.clone()).count().named("counts").to_stream().to("out");
    ///
    /// let mut driver = TopologyTestDriver::with_partitions(builder.build(), NonZero::new(4).unwrap())?;
    /// for page in ["1", "2", "3"] {
    ///     driver.pipe("words", page, "hey")?; // pages are in several partitions, the word in one
    /// }
    /// assert_eq!(driver.read_values::<i64>("out")?, [1, 2, 3]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    pub fn with_partitions(topology: Topology, partitions: NonZero<u16>) -> Result<Self> {
        topology.check()?;
        let globals = GlobalState::in_memory(topology.graph().global_tables.len());
        let mut driver = Self {
            globals: Arc::new(globals),
            partitions: i32::from(partitions.get()),
            tasks: BTreeMap::new(),
            offsets: HashMap::new(),
            outputs: BTreeMap::new(),
            checkpoints: Checkpoints::default(),
            now: 0,
            topology,
        };
        for sub_topology in 0..driver.topology.sub_topologies().len() {
            for partition in 0..driver.tasks_of(sub_topology) {
                driver.task(TaskId {
                    sub_topology,
                    partition,
                })?;
            }
        }
        Ok(driver)
    }

    /// How many tasks a part of the topology has: as many as the topic of the most partitions that it reads.
    fn tasks_of(&self, sub_topology: usize) -> i32 {
        let read = self.topology.graph().topics.iter();
        let own = read.filter(|topic| {
            let reader = self.topology.source_of(&topic.name);
            reader.is_some_and(|(sub, _)| sub == sub_topology)
        });
        own.map(|topic| self.partitions_of(&topic.name))
            .max()
            .unwrap_or(1)
    }

    /// Moves the wall clock, which does not move by itself, and calls the punctuators that are due by it, each once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use streams::prelude::*;
    ///
    /// /// Tells the time.
    /// struct Clock;
    ///
    /// impl Clock {
    ///     fn tell(&mut self, time: i64, cx: &mut ProcessorContext<'_, (), i64>) -> Outcome {
    ///         cx.forward(Record::new(&(), &time, time))
    ///     }
    /// }
    ///
    /// impl Processor<Keyless, str> for Clock {
    ///     type KeyOut = ();
    ///     type ValueOut = i64;
    ///     fn init(&mut self, cx: &mut InitContext<'_, Self, (), i64>) -> Outcome {
    ///         cx.schedule(Duration::from_millis(10), PunctuationType::WallClockTime, Self::tell);
    ///         Ok(())
    ///     }
    ///     fn process(&mut self, _: Record<'_, Keyless, str>, _: &mut ProcessorContext<'_, (), i64>) -> Outcome {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("clock");
    /// builder.stream::<Keyless, str>("lines").process(|| Clock).map(|(), time| (Keyless, *time)).to("times");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for millis in [9, 1, 25] {
    ///     driver.advance_wall_clock(Duration::from_millis(millis))?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("times")?, [10, 35]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a punctuator fails and the policy of its error class is `fail`.
    pub fn advance_wall_clock(&mut self, by: Duration) -> Result<()> {
        self.now = self
            .now
            .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.punctuate(id)?;
            self.send_on(id)?;
        }
        self.process_repartitioned()
    }

    /// The wall clock, in milliseconds since the epoch.
    pub fn wall_clock(&self) -> i64 {
        self.now
    }

    /// Pipes a record into the partition of its key, by the serdes of its types.
    pub fn pipe<K: TopicKey + ?Sized, V: TopicValue + ?Sized>(
        &mut self,
        topic: &str,
        key: &K,
        value: &V,
    ) -> Result<()> {
        let record = TestRecord::new(
            bytes(&K::KeySerde::default(), key)?,
            bytes(&V::ValueSerde::default(), value)?,
        );
        self.pipe_raw(topic, partition_of(&record, self.partitions), &record)
    }

    /// Pipes a record with time and headers into the partition of its key.
    pub fn pipe_record<K: TopicKey, V: TopicValue>(
        &mut self,
        topic: &str,
        record: &TestRecord<K, V>,
    ) -> Result<()> {
        let key = bytes(&K::KeySerde::default(), &record.key)?;
        let partition = partition_of(&TestRecord::new(key, None), self.partitions);
        self.pipe_record_to(topic, partition, record)
    }

    /// Pipes a record into a partition of a topic.
    pub fn pipe_record_to<K: TopicKey, V: TopicValue>(
        &mut self,
        topic: &str,
        partition: i32,
        record: &TestRecord<K, V>,
    ) -> Result<()> {
        let record = TestRecord {
            key: bytes(&K::KeySerde::default(), &record.key)?,
            value: bytes(&V::ValueSerde::default(), &record.value)?,
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        };
        self.pipe_raw(topic, partition, &record)
    }

    /// Pipes bytes into a partition of a topic. What goes to repartition topics is processed before it returns.
    pub fn pipe_raw(&mut self, topic: &str, partition: i32, record: &RawRecord) -> Result<()> {
        self.run(topic, partition, record)?;
        self.process_repartitioned()
    }

    pub(super) fn process_repartitioned(&mut self) -> Result<()> {
        while let Some((topic, record)) = self.repartitioned() {
            let partition = partition_of(&record, self.partitions_of(&topic));
            self.run(&topic, partition, &record)?;
        }
        Ok(())
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A task, which is made when it is needed first.
    pub(super) fn task(&mut self, id: TaskId) -> Result<&mut Task> {
        match self.tasks.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let globals = self.globals.clone();
                let mut task = Task::new(&self.topology, id).with_globals(globals);
                task.init(self.now)
                    .map_err(|failed| failed.into_error(id))?;
                Ok(place.insert(task))
            }
        }
    }

    /// Calls the punctuators of a task that are due.
    pub(super) fn punctuate(&mut self, id: TaskId) -> Result<()> {
        let now = self.now;
        self.task(id)?.set_wall_clock(now);
        while let Some(result) = self.task(id)?.punctuate() {
            match result {
                Ok(_) => self.take_outputs(id),
                Err(failed) => self.punctuator_failed(failed, id)?,
            }
        }
        Ok(())
    }

    fn punctuator_failed(&mut self, failed: ProcessorFailure, id: TaskId) -> Result<()> {
        match decide_punctuation(&self.topology.config().on_error, &failed) {
            Decision::Fail => Err(failed.into_error(id)),
            Decision::Skip => Ok(()),
            Decision::DeadLetter { topic, headers } => {
                let topic = topic.to_owned();
                let waited = failed.released.as_deref();
                let letter = TestRecord {
                    key: waited.map(|record| record.key.clone()),
                    value: waited.and_then(|record| record.value.clone()),
                    timestamp: Some(waited.map_or(self.now, |record| record.timestamp)),
                    headers,
                };
                self.write_dead_letter(topic, letter);
                Ok(())
            }
        }
    }

    fn write_dead_letter(&mut self, topic: String, record: RawRecord) {
        self.outputs.entry(topic).or_default().push_back(record);
    }

    fn take_outputs(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get_mut(&id) {
            take_outputs(task, &mut self.outputs);
        }
    }

    /// The next record that waits in a topic of the topology's own.
    fn repartitioned(&mut self) -> Option<(String, RawRecord)> {
        let read = |topic: &str| self.topology.source_of(topic).is_some();
        let (topic, waiting) = self
            .outputs
            .iter_mut()
            .find(|(t, q)| !q.is_empty() && read(t))?;
        Some((topic.clone(), waiting.pop_front()?))
    }

    /// How many partitions a topic has that the topology reads.
    fn partitions_of(&self, topic: &str) -> i32 {
        let graph = self.topology.graph();
        let read = graph.topics.iter().find(|read| read.name == topic);
        let own = read.and_then(|read| match &read.topic {
            TopicRef::Repartition(id) => graph.repartitions.get(id.0)?.partitions,
            TopicRef::External(_) => None,
        });
        own.unwrap_or(self.partitions)
    }

    fn run(&mut self, topic: &str, partition: i32, record: &RawRecord) -> Result<()> {
        let partitions = self.partitions_of(topic);
        if !(0..partitions).contains(&partition) {
            return Err(Error::Topology(format!(
                "there is no partition {partition} of `{topic}`: it has {partitions} in this driver, from 0 on \
                 (`TopologyTestDriver::with_partitions` makes one whose topics have more)"
            )));
        }
        let Some(reader) = self.reader_of(topic, partition) else {
            let known = self.topology.source_topics();
            let known: Vec<_> = known.chain(self.topology.global_topics()).collect();
            return Err(Error::Topology(format!(
                "the topology does not read `{topic}`; it reads {}",
                known.join(", ")
            )));
        };
        if let Reader::Task(id, _) = &reader {
            self.task(*id)?;
        }
        let next_offset = self
            .offsets
            .entry((topic.to_owned(), partition))
            .or_default();
        let offset = std::mem::replace(next_offset, *next_offset + 1);
        let timestamp = record.timestamp.unwrap_or(self.now);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let input = InputRecord {
            key,
            value,
            timestamp,
            offset,
            headers: &record.headers,
        };
        if let Err(failure) = self.process(&reader, input) {
            let at = Location {
                topic,
                partition,
                offset,
            };
            let timestamp = Some(timestamp);
            let record = record.clone();
            self.failed(
                &failure,
                &at,
                TestRecord {
                    timestamp,
                    ..record
                },
            )?;
        }
        match reader {
            Reader::Task(id, _) => {
                self.punctuate(id)?;
                self.send_on(id)
            }
            Reader::GlobalTable(_) => Ok(()),
        }
    }

    /// Who reads a topic.
    fn reader_of(&self, topic: &str, partition: i32) -> Option<Reader> {
        let mut tables = self.topology.graph().global_tables.iter();
        if let Some(table) = tables.find(|table| table.topic == topic) {
            return Some(Reader::GlobalTable(table.reader.clone()));
        }
        let (sub_topology, source) = self.topology.source_of(topic)?;
        let id = TaskId {
            sub_topology,
            partition,
        };
        Some(Reader::Task(id, source))
    }

    fn process(&mut self, reader: &Reader, input: InputRecord<'_>) -> Result<(), Box<Failure>> {
        let (id, source) = match reader {
            Reader::GlobalTable(reader) => return process_global(&**reader, &self.globals, input),
            Reader::Task(id, source) => (*id, *source),
        };
        let Some(task) = self.tasks.get_mut(&id) else {
            return Ok(());
        };
        match catch_unwind(AssertUnwindSafe(|| task.process(source, input))) {
            Ok(Ok(())) => {
                take_outputs(task, &mut self.outputs);
                Ok(())
            }
            Ok(Err(failure)) => Err(failure),
            Err(panic) => {
                task.recover_from_panic();
                Err(Box::new(Failure::of_panic(&*panic)))
            }
        }
    }

    fn failed(
        &mut self,
        failure: &Failure,
        at: &Location<'_>,
        mut record: RawRecord,
    ) -> Result<()> {
        match decide(&self.topology.config().on_error, failure, at) {
            Decision::Fail => Err(Error::Record {
                class: failure.class().to_string(),
                topic: at.topic.to_owned(),
                partition: at.partition,
                offset: at.offset,
                reason: failure.to_string(),
            }),
            Decision::Skip => Ok(()),
            Decision::DeadLetter { topic, headers } => {
                headers
                    .iter()
                    .for_each(|(name, value)| record.headers.add(name, value));
                let topic = topic.to_owned();
                self.write_dead_letter(topic, record);
                Ok(())
            }
        }
    }
}

/// The partition that a record's key belongs to.
fn partition_of(record: &RawRecord, partitions: i32) -> i32 {
    let key = record.key.as_deref();
    key.map_or(0, |key| partition_for_key(key, partitions))
}

fn take_outputs(task: &mut Task, outputs: &mut BTreeMap<String, VecDeque<RawRecord>>) {
    for record in task.staged().iter() {
        let copy = TestRecord {
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            timestamp: Some(record.timestamp),
            headers: record.headers.clone(),
        };
        outputs
            .entry(task.topic_name(record.topic).to_owned())
            .or_default()
            .push_back(copy);
    }
    task.accept();
}

fn bytes<T: ?Sized>(serde: &impl Serializer<T>, value: &T) -> Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    match serde.write(value, &mut out) {
        Ok(Written::Bytes) => Ok(Some(out)),
        Ok(Written::Null) => Ok(None),
        Err(error) => Err(Error::Topology(format!(
            "the test's own record cannot be written: {error}"
        ))),
    }
}
