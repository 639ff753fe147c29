//! Runs a topology record by record, on the same tasks as a job.

use super::{RawRecord, TestRecord};
use crate::processor::{
    Decision, ErrorClass, Failure, InputRecord, Location, Task, TaskId, decide,
};
use crate::serde::{HasSerde, Serde, Serializer, TopicKey, Written};
use crate::topology::Topology;
use crate::{Error, Result};
use std::any::Any;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
pub struct TopologyTestDriver {
    topology: Topology,
    tasks: HashMap<TaskId, Task>,
    /// The next offset of each input partition.
    offsets: HashMap<(String, i32), i64>,
    outputs: BTreeMap<String, VecDeque<RawRecord>>,
    now: i64,
}

impl TopologyTestDriver {
    /// A driver of this topology, whose wall clock stands at zero.
    pub fn new(topology: Topology) -> Result<Self> {
        topology.check()?;
        Ok(Self {
            topology,
            tasks: HashMap::new(),
            offsets: HashMap::new(),
            outputs: BTreeMap::new(),
            now: 0,
        })
    }

    /// Moves the wall clock, which does not move by itself.
    pub fn advance_wall_clock(&mut self, by: Duration) {
        self.now = self
            .now
            .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// The wall clock, in milliseconds since the epoch.
    pub fn wall_clock(&self) -> i64 {
        self.now
    }

    /// Pipes a record into partition 0 of a topic, by the serdes of its types.
    pub fn pipe<K: TopicKey + ?Sized, V: HasSerde + ?Sized>(
        &mut self,
        topic: &str,
        key: &K,
        value: &V,
    ) -> Result<()> {
        let record = TestRecord::new(
            bytes(&K::KeySerde::default(), key)?,
            bytes(&V::Serde::default(), value)?,
        );
        self.pipe_raw(topic, 0, &record)
    }

    /// Pipes a record with time and headers into partition 0 of a topic.
    pub fn pipe_record<K: TopicKey, V: HasSerde>(
        &mut self,
        topic: &str,
        record: &TestRecord<K, V>,
    ) -> Result<()> {
        self.pipe_record_to(topic, 0, record)
    }

    /// Pipes a record into a partition of a topic.
    pub fn pipe_record_to<K: TopicKey, V: HasSerde>(
        &mut self,
        topic: &str,
        partition: i32,
        record: &TestRecord<K, V>,
    ) -> Result<()> {
        let record = TestRecord {
            key: bytes(&K::KeySerde::default(), &record.key)?,
            value: bytes(&V::Serde::default(), &record.value)?,
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        };
        self.pipe_raw(topic, partition, &record)
    }

    /// Pipes bytes into a partition of a topic.
    pub fn pipe_raw(&mut self, topic: &str, partition: i32, record: &RawRecord) -> Result<()> {
        let Some((sub_topology, source)) = self.topology.source_of(topic) else {
            let known: Vec<_> = self.topology.source_topics().collect();
            return Err(Error::Topology(format!(
                "the topology does not read `{topic}`; it reads {}",
                known.join(", ")
            )));
        };
        let id = TaskId {
            sub_topology,
            partition,
        };
        let task = self
            .tasks
            .entry(id)
            .or_insert_with(|| Task::new(&self.topology, id));
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
        let failure = match catch_unwind(AssertUnwindSafe(|| task.process(source, input))) {
            Ok(Ok(())) => {
                take_outputs(task, &mut self.outputs);
                return Ok(());
            }
            Ok(Err(failure)) => *failure,
            Err(panic) => {
                task.recover_from_panic();
                Failure::panicked(panic_message(&*panic))
            }
        };
        self.failed(
            &failure,
            &Location {
                topic,
                partition,
                offset,
            },
            TestRecord {
                timestamp: Some(timestamp),
                ..record.clone()
            },
        )
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
                self.outputs
                    .entry(topic.to_owned())
                    .or_default()
                    .push_back(record);
                Ok(())
            }
        }
    }

    /// Reads all that was written to a topic and not read yet.
    pub fn read<K, V>(&mut self, topic: &str) -> Result<Vec<TestRecord<K, V>>>
    where
        K: TopicKey<KeySerde: Serde<K>>,
        V: HasSerde<Serde: Serde<V>>,
    {
        self.read_raw(topic)
            .into_iter()
            .enumerate()
            .map(|(at, record)| typed(topic, at, record))
            .collect()
    }

    /// Reads the values that were written to a topic and not read yet.
    pub fn read_values<V: HasSerde<Serde: Serde<V>>>(&mut self, topic: &str) -> Result<Vec<V>> {
        Ok(self
            .read::<crate::Keyless, V>(topic)?
            .into_iter()
            .map(|record| record.value)
            .collect())
    }

    /// Reads the keys and values that were written to a topic and not read yet.
    pub fn read_key_values<K, V>(&mut self, topic: &str) -> Result<Vec<(K, V)>>
    where
        K: TopicKey<KeySerde: Serde<K>>,
        V: HasSerde<Serde: Serde<V>>,
    {
        Ok(self
            .read::<K, V>(topic)?
            .into_iter()
            .map(|record| (record.key, record.value))
            .collect())
    }

    /// Reads all that was written to a topic and not read yet, as bytes.
    pub fn read_raw(&mut self, topic: &str) -> Vec<RawRecord> {
        self.outputs.remove(topic).unwrap_or_default().into()
    }

    /// Reads all that was written to any topic and not read yet, topic by topic.
    pub fn read_all_raw(&mut self) -> Vec<(String, RawRecord)> {
        let topics = std::mem::take(&mut self.outputs).into_iter();
        topics
            .flat_map(|(topic, records)| {
                records
                    .into_iter()
                    .map(move |record| (topic.clone(), record))
            })
            .collect()
    }
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
    task.clear_staged();
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

fn typed<K, V>(topic: &str, at: usize, record: RawRecord) -> Result<TestRecord<K, V>>
where
    K: TopicKey<KeySerde: Serde<K>>,
    V: HasSerde<Serde: Serde<V>>,
{
    let unreadable = |part: &'static str| {
        move |error| Error::Record {
            class: ErrorClass::Deserialize.to_string(),
            topic: topic.to_owned(),
            partition: 0,
            offset: i64::try_from(at).unwrap_or(i64::MAX),
            reason: format!("the test cannot read the {part}: {error}"),
        }
    };
    let key = own(&K::KeySerde::default(), record.key.as_deref()).map_err(unreadable("key"))?;
    let value = own(&V::Serde::default(), record.value.as_deref()).map_err(unreadable("value"))?;
    Ok(TestRecord {
        key,
        value,
        timestamp: record.timestamp,
        headers: record.headers,
    })
}

fn own<T>(serde: &impl Serde<T>, bytes: Option<&[u8]>) -> Result<T, crate::serde::SerdeError> {
    match bytes {
        Some(bytes) => serde.deserialize(bytes),
        None => serde.deserialize_null(),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    fn driver(configure: impl Fn(&TopologyBuilder)) -> TopologyTestDriver {
        let builder = TopologyBuilder::new("app");
        configure(&builder);
        builder.stream::<String, i64>("in").to("out");
        TopologyTestDriver::new(builder.build()).unwrap()
    }

    fn unreadable() -> RawRecord {
        TestRecord::new(Some(b"k".to_vec()), Some(b"abc".to_vec())).at(9)
    }

    #[test]
    fn a_topology_that_is_wrong_is_refused() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<Keyless, str>("in").to("in");
        assert!(TopologyTestDriver::new(builder.build()).is_err());
    }

    #[test]
    fn a_topic_that_is_not_read_is_an_error_that_names_those_that_are() {
        let error = driver(|_| ())
            .pipe("inn", "k", &1_i64)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "the topology does not read `inn`; it reads in");
    }

    #[test]
    fn a_record_without_a_time_gets_the_wall_clocks() {
        let mut driver = driver(|_| ());
        driver.advance_wall_clock(Duration::from_secs(2));
        driver.pipe("in", "k", &1_i64).unwrap();
        assert_eq!(driver.wall_clock(), 2_000);
        assert_eq!(
            driver.read::<String, i64>("out").unwrap(),
            [TestRecord::new("k".to_owned(), 1).at(2_000)]
        );
    }

    #[test]
    fn what_was_read_is_gone() {
        let mut driver = driver(|_| ());
        driver.pipe("in", "k", &1_i64).unwrap();
        assert_eq!(driver.read_raw("out").len(), 1);
        assert!(driver.read_raw("out").is_empty());
    }

    #[test]
    fn offsets_count_per_partition_and_failed_records_count() {
        let mut driver = driver(|_| ());
        for (partition, offset) in [(0, 0), (1, 0), (1, 1)] {
            let error = driver
                .pipe_raw("in", partition, &unreadable())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&format!("offset {offset} of in-{partition}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_goes_where_the_policy_says() {
        let mut skipping = driver(|builder| builder.on_deserialize_error(ErrorPolicy::Skip));
        skipping.pipe_raw("in", 0, &unreadable()).unwrap();
        assert!(skipping.read_all_raw().is_empty());

        let mut keeping = driver(|builder| {
            builder.on_deserialize_error(ErrorPolicy::DeadLetter("dead".to_owned()))
        });
        keeping.pipe_raw("in", 0, &unreadable()).unwrap();
        let dead = keeping.read_raw("dead");
        let [letter] = dead.as_slice() else {
            unreachable!("one letter, and not {dead:?}")
        };
        assert_eq!(
            (&letter.key, &letter.value, letter.timestamp),
            (&unreadable().key, &unreadable().value, Some(9))
        );
        let why = letter
            .headers
            .last("__streams.errors.message")
            .flatten()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(why),
            "the value cannot be read: a big-endian `i64` has 8 bytes, found 3"
        );
    }

    #[test]
    fn an_output_that_is_read_as_another_type_is_an_error() {
        let mut driver = driver(|_| ());
        driver.pipe("in", "k", &1_i64).unwrap();
        let error = driver.read_values::<i16>("out").unwrap_err().to_string();
        assert!(error.contains("the test cannot read the value"), "{error}");
    }
}
