//! Whether the topics of global tables still are what they were when the job started: partitions that are added are not read,
//! and the client gets over a topic that is deleted, and waits for it.
//!
//! Rows would be missing in silence, so the job ends. A restart mends it: it reads all partitions that there are. (Kafka Streams
//! goes on with the partitions of its start.)

use crate::kafka::error::{ClientError, Code};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A difference is looked at again after this: not each of several brokers knows of what was done to a topic at once.
const SPREADING: Duration = Duration::from_secs(3);

/// When the topics are looked at, and what they were.
pub(super) struct GlobalTopics {
    partitions: BTreeMap<String, i32>,
    every: Duration,
    looked: Instant,
    is_suspicious: bool,
}

impl GlobalTopics {
    /// They had so many partitions when the job started.
    pub(super) fn new(partitions: BTreeMap<String, i32>, every: Duration) -> Self {
        Self {
            partitions,
            every,
            looked: Instant::now(),
            is_suspicious: false,
        }
    }

    /// The topics that are to be looked at now; mostly none.
    pub(super) fn due(&mut self) -> Vec<String> {
        let pause = match self.is_suspicious {
            true => SPREADING.min(self.every),
            false => self.every,
        };
        if self.looked.elapsed() < pause {
            return Vec::new();
        }
        self.looked = Instant::now();
        self.partitions.keys().cloned().collect()
    }

    /// Compares with what was found. What cannot be told is asked for the next time.
    pub(super) fn compare(&mut self, found: &[(String, Result<i32, ClientError>)]) -> Result<()> {
        let mut found = found.iter();
        let difference = found.find_map(|(topic, found)| {
            let before = *self.partitions.get(topic)?;
            match found {
                Ok(now) if *now == before => None,
                Ok(now) => Some(other_partitions(topic, before, *now)),
                Err(error) if error.code() == Code::UnknownTopicOrPartition => Some(gone(topic)),
                Err(error) => {
                    tracing::debug!(%error, "the partitions of a global table are not told");
                    None
                }
            }
        });
        let was_suspicious = std::mem::replace(&mut self.is_suspicious, difference.is_some());
        match difference {
            Some(difference) if was_suspicious => Err(Error::Cluster(difference)),
            _ => Ok(()),
        }
    }
}

fn other_partitions(topic: &str, before: i32, now: i32) -> String {
    let how = match now > before {
        true => "the rows of those that were added are not in the table",
        false => "it was made anew, and the table has the rows of before",
    };
    format!(
        "the topic `{topic}` of a global table has {now} partitions, and had {before} when the job started: {how}. Start the job \
         again: it reads all of them"
    )
}

fn gone(topic: &str) -> String {
    format!(
        "the topic `{topic}` of a global table was deleted while the job runs. Bring it back and start the job again, which reads \
         it anew; or take the table out of the topology"
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn error(code: Code) -> Result<i32, ClientError> {
        Err(ClientError::new("asking", code, "as it was told"))
    }

    /// What comes of one look after another at a topic of two partitions.
    fn seen(looks: Vec<Result<i32, ClientError>>) -> Result<()> {
        let before = BTreeMap::from([("t".to_owned(), 2)]);
        let mut topics = GlobalTopics::new(before, Duration::ZERO);
        let mut looks = looks.into_iter();
        looks.try_for_each(|found| {
            assert_eq!(topics.due(), ["t"]);
            topics.compare(&[("t".to_owned(), found)])
        })
    }

    #[test]
    fn a_difference_that_stays_is_an_error() {
        let gone = || error(Code::UnknownTopicOrPartition);
        for (found, told) in [
            (vec![Ok(3), Ok(3)], "has 3 partitions, and had 2"),
            (vec![Ok(2), Ok(1), Ok(1)], "made anew"),
            (vec![gone(), gone()], "was deleted"),
        ] {
            let error = seen(found).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("`t`"), "{error}");
        }
    }

    #[test]
    fn what_one_broker_does_not_know_yet_is_none() {
        let looks = vec![Ok(3), Ok(2), error(Code::UnknownTopicOrPartition), Ok(2)];
        seen(looks).unwrap();
        let untold = || error(Code::LeaderNotAvailable);
        seen(vec![untold(), untold(), Ok(2)]).unwrap();
    }

    #[test]
    fn they_are_looked_at_once_in_a_while() {
        let before = BTreeMap::from([("t".to_owned(), 2)]);
        let mut topics = GlobalTopics::new(before, Duration::from_secs(3_600));
        assert!(topics.due().is_empty());
    }
}
