//! The topics: names, ids, configurations, partitions.
//!
//! Invariants: names obey Apache Kafka's rules, also that two names may not differ only in `.` and `_`; a topic's id is
//! never used again, so a recreated topic is told apart from the one before; all topics together have no more partitions
//! than is allowed.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::budget::Budget;
use crate::clock::Millis;
use crate::log::batch::Batch;
use crate::log::{
    Admission, BATCH_BYTES, Compaction, ENDING_BYTES, Log, Reach, Retention, SegmentLimits,
};
use crate::settings::{Invalid, Settings};

/// The topics of Apache Kafka's own. There are none here, but nobody else's topic has their names.
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// The longest legal topic name.
pub(crate) const LONGEST_NAME: usize = 249;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Log>,
    pub(crate) settings: Settings,
    pub(crate) admission: Admission,
    pub(crate) retention: Retention,
    /// Where the cleanup policy has `compact`.
    pub(crate) compaction: Option<Compaction>,
}

impl Topic {
    /// The log of a partition.
    pub(crate) fn log(&self, partition: i32) -> Option<&Log> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The log of a partition, to change it.
    pub(crate) fn log_mut(&mut self, partition: i32) -> Option<&mut Log> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// Follows its configurations after they have changed.
    fn configure(&mut self, settings: Settings, broker: &Settings) {
        (self.admission, self.retention, self.compaction) = policies(&settings, broker);
        self.settings = settings;
    }

    /// Whether the cleanup policy has `compact` and not `delete`.
    pub(crate) fn is_only_compacted(&self, broker: &Settings) -> bool {
        let policy = self.settings.for_topic(broker, "cleanup.policy");
        self.compaction.is_some() && !policy.split(',').any(|word| word.trim() == "delete")
    }

    /// The memory that its logs and its configurations take.
    fn footprint(&self) -> usize {
        let logs = self.partitions.iter().map(Log::footprint);
        self.settings.footprint() + logs.sum::<usize>()
    }

    /// The number of partitions, as the protocol has it.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// What a topic's partitions admit and keep, by its configurations and the broker's.
fn policies(own: &Settings, broker: &Settings) -> (Admission, Retention, Option<Compaction>) {
    let text = |name: &str| own.for_topic(broker, name);
    let number = |name: &str| text(name).parse::<i64>().unwrap_or(i64::MAX);
    let policy = |wanted: &str| {
        text("cleanup.policy")
            .split(',')
            .any(|word| word.trim() == wanted)
    };
    let limit = |name: &str| Some(number(name)).filter(|limit| *limit >= 0 && policy("delete"));
    let size = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
    let compaction = policy("compact").then(|| Compaction {
        min_lag: number("min.compaction.lag.ms"),
        max_lag: number("max.compaction.lag.ms"),
        delete_retention: number("delete.retention.ms"),
        dirty_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
    });
    let longest = compaction.map_or(i64::MAX, |compaction| compaction.max_lag.max(1));
    let admission = Admission {
        max_bytes: size("max.message.bytes"),
        segments: SegmentLimits {
            bytes: size("segment.bytes"),
            time: number("segment.ms").min(longest),
        },
        stamp: text("message.timestamp.type") == "LogAppendTime",
        before: number("message.timestamp.before.max.ms"),
        after: number("message.timestamp.after.max.ms"),
        keyed: policy("compact"),
    };
    let retention = Retention {
        time: limit("retention.ms"),
        bytes: limit("retention.bytes").and_then(|bytes| usize::try_from(bytes).ok()),
    };
    (admission, retention, compaction)
}

/// A record may not have to wait for longer than it may wait.
pub(crate) fn check_lags(own: &Settings, broker: &Settings) -> Result<(), Refused> {
    let lag = |name: &str| own.for_topic(broker, name).parse().unwrap_or(0_i64);
    let (least, most) = (lag("min.compaction.lag.ms"), lag("max.compaction.lag.ms"));
    if least <= most {
        return Ok(());
    }
    let message = format!(
        "min.compaction.lag.ms ({least}) must not be larger than max.compaction.lag.ms ({most})."
    );
    Err(Refused::new(ResponseError::InvalidConfig, message))
}

/// A refusal with the words that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ResponseError,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: ResponseError, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<ResponseError> for Refused {
    fn from(code: ResponseError) -> Self {
        Refused::new(code, code.to_string())
    }
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Refused::new(ResponseError::InvalidConfig, invalid.to_string())
    }
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: HashMap<Uuid, String>,
    created: u128,
    /// Of all logs together.
    memory: Budget,
    /// How many partitions there may be.
    most_partitions: usize,
}

impl Topics {
    pub(crate) fn new(most_partitions: usize, most_bytes: usize) -> Self {
        Self {
            by_name: BTreeMap::new(),
            names: HashMap::new(),
            created: 0,
            memory: Budget::new(most_bytes),
            most_partitions,
        }
    }

    /// Whether there is room for so many more partitions.
    fn check_room(&self, more: i32) -> Result<(), Refused> {
        let topics = self.by_name.values();
        let present: usize = topics.map(|topic| topic.partitions.len()).sum();
        let more = usize::try_from(more).unwrap_or_default();
        if present.saturating_add(more) <= self.most_partitions {
            return Ok(());
        }
        let message = format!(
            "The embedded broker has {present} partitions, and may have {}: see Builder::max_partitions.",
            self.most_partitions
        );
        Err(Refused::new(ResponseError::PolicyViolation, message))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn log(&self, name: &str, partition: i32) -> Option<&Log> {
        self.get(name)?.log(partition)
    }

    pub(crate) fn log_mut(&mut self, name: &str, partition: i32) -> Option<&mut Log> {
        self.get_mut(name)?.log_mut(partition)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name
            .iter()
            .map(|(name, topic)| (name.as_str(), topic))
    }

    /// Whether the logs have room for a batch, and for the end of its transaction.
    pub(crate) fn reserve(&mut self, batch: &Batch) -> Result<(), ResponseError> {
        let ending = if batch.has_producer() {
            ENDING_BYTES
        } else {
            0
        };
        let batch = batch.bytes.len().saturating_add(BATCH_BYTES);
        self.reserve_bytes(batch.saturating_add(ending))
    }

    /// Whether the logs have room for the ends of a transaction in so many partitions.
    pub(crate) fn reserve_endings(&mut self, partitions: usize) -> Result<(), ResponseError> {
        self.reserve_bytes(partitions.saturating_mul(ENDING_BYTES))
    }

    /// Gives a topic other configurations, for which there must be room beside what it has.
    pub(crate) fn configure(
        &mut self,
        name: &str,
        settings: Settings,
        broker: &Settings,
    ) -> Result<(), Refused> {
        self.reserve_settings(&settings)?;
        let topic = self.get_mut(name);
        let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
        topic.configure(settings, broker);
        Ok(())
    }

    /// Whether there is room for a topic's configurations.
    fn reserve_settings(&mut self, settings: &Settings) -> Result<(), Refused> {
        let refused = |code| {
            let message =
                "The embedded broker keeps no more configurations: see Builder::max_log_bytes.";
            Refused::new(code, message)
        };
        self.reserve_bytes(settings.footprint()).map_err(refused)
    }

    fn reserve_bytes(&mut self, more: usize) -> Result<(), ResponseError> {
        let topics = self.by_name.values();
        if self
            .memory
            .reserve(more, || topics.map(Topic::footprint).sum())
        {
            return Ok(());
        }
        let most = self.memory.most();
        tracing::warn!("refused: the logs hold {most} bytes, the limit");
        Err(ResponseError::PolicyViolation)
    }

    /// Whether a topic of this name and partition count may be created.
    pub(crate) fn check(&self, name: &str, partitions: i32) -> Result<(), Refused> {
        if self.by_name.contains_key(name) || is_internal(name) {
            return Err(Refused::new(
                ResponseError::TopicAlreadyExists,
                format!("Topic '{name}' already exists."),
            ));
        }
        check_name(name)?;
        if let Some(other) = self.by_name.keys().find(|other| collide(other, name)) {
            let message = format!("Topic '{name}' collides with existing topic: {other}");
            return Err(Refused::new(ResponseError::InvalidTopicException, message));
        }
        check_count(partitions)?;
        self.check_room(partitions)
    }

    /// Creates a topic.
    pub(crate) fn create(
        &mut self,
        name: &str,
        partitions: i32,
        settings: Settings,
        broker: &Settings,
    ) -> Result<&Topic, Refused> {
        self.check(name, partitions)?;
        self.reserve_settings(&settings)?;
        let (admission, retention, compaction) = policies(&settings, broker);
        self.created += 1;
        // A random-looking but repeatable id; the version and variant bits make it a well-formed one.
        let mixed = self
            .created
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let id = uuid::Builder::from_random_bytes(mixed.to_be_bytes()).into_uuid();
        self.names.insert(id, name.to_owned());
        let partitions = (0..partitions).map(|_| Log::default()).collect();
        Ok(self.by_name.entry(name.to_owned()).or_insert(Topic {
            id,
            partitions,
            settings,
            admission,
            retention,
            compaction,
        }))
    }

    /// Deletes all, but never gives the same ids again.
    pub(crate) fn clear(&mut self) {
        *self = Topics {
            created: self.created,
            ..Topics::new(self.most_partitions, self.memory.most())
        };
    }

    /// The only broker was restarted.
    pub(crate) fn restarted(&mut self) {
        let topics = self.by_name.values_mut();
        let logs = topics.flat_map(|topic| &mut topic.partitions);
        logs.for_each(Log::restarted);
    }

    /// Deletes a topic with all it holds.
    pub(crate) fn delete(&mut self, name: &str) -> Result<Topic, Refused> {
        let Some(mut topic) = self.by_name.remove(name) else {
            return Err(Refused::new(
                ResponseError::UnknownTopicOrPartition,
                "This server does not host this topic.",
            ));
        };
        self.names.remove(&topic.id);
        topic
            .partitions
            .iter_mut()
            .for_each(|log| log.readers.wake());
        Ok(topic)
    }

    /// Applies every topic's retention.
    pub(crate) fn retain(&mut self, now: Millis) {
        for topic in self.by_name.values_mut() {
            let retention = topic.retention;
            topic
                .partitions
                .iter_mut()
                .for_each(|log| log.retain(retention, now));
        }
    }

    /// Forgets the producers that have written nothing since, in each partition.
    pub(crate) fn expire_producers(&mut self, until: Millis) {
        let topics = self.by_name.values_mut();
        let logs = topics.flat_map(|topic| &mut topic.partitions);
        logs.for_each(|log| log.expire_producers(until));
    }

    /// Compacts every compacted topic. What is compressed again may become larger: there must be room for that.
    pub(crate) fn compact(&mut self, reach: Reach, now: Millis) {
        let mut topics = self.by_name.values();
        if !topics.any(|topic| topic.compaction.is_some()) {
            return;
        }
        let held = self.by_name.values().map(Topic::footprint).sum();
        let mut room = self.memory.room(held);
        for topic in self.by_name.values_mut() {
            let Some(compaction) = topic.compaction else {
                continue;
            };
            for log in &mut topic.partitions {
                let before = log.bytes();
                log.compact(compaction, reach, room, now);
                self.memory.resized(before, log.bytes());
                room = room.saturating_add(before).saturating_sub(log.bytes());
            }
        }
    }

    /// Adds partitions up to `count`.
    pub(crate) fn grow(&mut self, name: &str, count: i32, only_check: bool) -> Result<(), Refused> {
        let Some(topic) = self.by_name.get(name) else {
            return Err(Refused::new(
                ResponseError::UnknownTopicOrPartition,
                "This server does not host this topic.",
            ));
        };
        let present = topic.partition_count();
        if count <= present {
            let message = format!(
                "The topic {name} currently has {present} partition(s); {count} would not be an increase."
            );
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        self.check_room(count - present)?;
        if let Some(topic) = self.by_name.get_mut(name).filter(|_| !only_check) {
            topic
                .partitions
                .extend((present..count).map(|_| Log::default()));
        }
        Ok(())
    }
}

#[cfg(test)]
impl Default for Topics {
    fn default() -> Self {
        Topics::new(1_000, usize::MAX)
    }
}

/// Whether the name is that of a topic of Apache Kafka's own.
pub(crate) fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// Whether a topic may have the name.
pub(crate) fn check_name(name: &str) -> Result<(), Refused> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let wrong = if name.is_empty() {
        "the empty string is not allowed"
    } else if matches!(name, "." | "..") {
        "'.' or '..' is not allowed"
    } else if name.len() > LONGEST_NAME {
        "the length is longer than the max allowed length 249"
    } else if !name.bytes().all(legal) {
        "it contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    } else {
        return Ok(());
    };
    Err(Refused::new(
        ResponseError::InvalidTopicException,
        format!("Topic name is invalid: {wrong}"),
    ))
}

fn check_count(partitions: i32) -> Result<(), Refused> {
    if partitions >= 1 {
        return Ok(());
    }
    Err(Refused::new(
        ResponseError::InvalidPartitions,
        "Number of partitions must be larger than 0.",
    ))
}

/// Names that metrics could not tell apart.
fn collide(one: &str, other: &str) -> bool {
    let alike = |a: u8, b: u8| a == b || (matches!(a, b'.' | b'_') && matches!(b, b'.' | b'_'));
    one != other
        && one.len() == other.len()
        && one.bytes().zip(other.bytes()).all(|(a, b)| alike(a, b))
}

#[cfg(test)]
mod tests;
