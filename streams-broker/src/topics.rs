//! The topics: names, ids, configurations, partitions.
//!
//! Invariants: names obey Apache Kafka's rules, also that two names may not differ only in `.` and `_`; a topic's id is
//! never used again, so a recreated topic is told apart from the one before.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::clock::Millis;
use crate::log::{Admission, Log, Retention};
use crate::settings::{Invalid, Settings};

/// The longest legal topic name.
const LONGEST_NAME: usize = 249;
/// More partitions than this in one request is a mistake.
const MOST_PARTITIONS: i32 = 100_000;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Log>,
    pub(crate) settings: Settings,
    pub(crate) admission: Admission,
    pub(crate) retention: Retention,
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
    pub(crate) fn configure(&mut self, settings: Settings, broker: &Settings) {
        (self.admission, self.retention) = policies(&settings, broker);
        self.settings = settings;
    }

    /// The number of partitions, as the protocol has it.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// What a topic's partitions admit and keep, by its configurations and the broker's.
fn policies(own: &Settings, broker: &Settings) -> (Admission, Retention) {
    let text = |name: &str| own.for_topic(broker, name);
    let number = |name: &str| text(name).parse::<i64>().unwrap_or(i64::MAX);
    let policy = |wanted: &str| {
        text("cleanup.policy")
            .split(',')
            .any(|word| word.trim() == wanted)
    };
    let limit = |name: &str| Some(number(name)).filter(|limit| *limit >= 0 && policy("delete"));
    let admission = Admission {
        max_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(usize::MAX),
        stamp: text("message.timestamp.type") == "LogAppendTime",
        before: number("message.timestamp.before.max.ms"),
        after: number("message.timestamp.after.max.ms"),
        keyed: policy("compact"),
    };
    let retention = Retention {
        time: limit("retention.ms"),
        bytes: limit("retention.bytes").and_then(|bytes| usize::try_from(bytes).ok()),
    };
    (admission, retention)
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
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: HashMap<Uuid, String>,
    created: u128,
}

impl Topics {
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

    /// Whether a topic of this name and partition count may be created.
    pub(crate) fn check(&self, name: &str, partitions: i32) -> Result<(), Refused> {
        if self.by_name.contains_key(name) {
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
        check_count(partitions)
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
        let (admission, retention) = policies(&settings, broker);
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
        }))
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

    /// Adds partitions up to `count`.
    pub(crate) fn grow(&mut self, name: &str, count: i32, only_check: bool) -> Result<(), Refused> {
        let Some(topic) = self.by_name.get_mut(name) else {
            return Err(Refused::new(
                ResponseError::UnknownTopicOrPartition,
                "This server does not host this topic.",
            ));
        };
        let present = topic.partition_count();
        if count <= present || count > MOST_PARTITIONS {
            let message = format!(
                "The topic {name} currently has {present} partition(s); {count} would not be an increase."
            );
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        if !only_check {
            topic
                .partitions
                .extend((present..count).map(|_| Log::default()));
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
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
    if (1..=MOST_PARTITIONS).contains(&partitions) {
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
mod tests {
    use super::*;

    fn create(topics: &mut Topics, name: &str, partitions: i32) -> Result<Uuid, ResponseError> {
        topics
            .create(name, partitions, Settings::topic(), &Settings::broker())
            .map(|topic| topic.id)
            .map_err(|refused| refused.code)
    }

    #[test]
    fn names_obey_kafkas_rules() {
        let mut topics = Topics::default();
        let long = "x".repeat(250);
        for name in ["", ".", "..", "a b", "ä", long.as_str()] {
            assert_eq!(
                create(&mut topics, name, 1),
                Err(ResponseError::InvalidTopicException)
            );
        }
        assert!(create(&mut topics, "a.b", 1).is_ok());
        assert_eq!(
            create(&mut topics, "a_b", 1),
            Err(ResponseError::InvalidTopicException)
        );
        assert_eq!(
            create(&mut topics, "a.b", 1),
            Err(ResponseError::TopicAlreadyExists)
        );
        assert_eq!(
            create(&mut topics, "other", 0),
            Err(ResponseError::InvalidPartitions)
        );
    }

    #[test]
    fn a_recreated_topic_has_another_id() {
        let mut topics = Topics::default();
        let first = create(&mut topics, "a", 1);
        assert!(topics.delete("a").is_ok());
        assert_ne!(first, create(&mut topics, "a", 1));
        assert!(topics.delete("b").is_err());
    }

    #[test]
    fn partitions_only_grow() {
        let mut topics = Topics::default();
        assert!(create(&mut topics, "a", 2).is_ok());
        assert!(topics.grow("a", 2, false).is_err());
        assert!(topics.grow("a", 4, true).is_ok());
        assert_eq!(topics.get("a").map(Topic::partition_count), Some(2));
        assert!(topics.grow("a", 4, false).is_ok());
        assert_eq!(topics.get("a").map(Topic::partition_count), Some(4));
    }
}
