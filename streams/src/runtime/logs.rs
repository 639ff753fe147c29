//! Where changelogs begin and end, and which topics they are.

use super::store_start;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::offsets::LogEnd;
use crate::kafka::reader::PartitionReader;
use crate::kafka::topic_ids::{TopicId, TopicIds};
use crate::state::Reached;
use std::time::Duration;

/// For the ends of changelogs.
const LOGS_TIMEOUT: Duration = Duration::from_secs(10);

/// A partition that a store is restored from.
#[derive(Clone, Debug)]
pub(super) struct Changelog {
    pub(super) partition: TopicPartition,
    /// An input of the task is read up to where the group has processed it; a changelog of the store's own to its end.
    pub(super) until: i64,
}

/// Where a changelog partition begins and ends.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) changelog: TopicPartition,
    /// Which topic of that name it is.
    pub(super) topic: Option<TopicId>,
    pub(super) start: i64,
    /// The last stable offset, no later than the end: each transaction with records below it is ended below it.
    pub(super) stable: i64,
    /// The high watermark.
    pub(super) end: i64,
}

impl Log {
    /// Of a partition of which nothing is to be read; it need not be there.
    fn empty(changelog: &TopicPartition) -> Self {
        Self {
            changelog: changelog.clone(),
            topic: None,
            start: 0,
            stable: 0,
            end: 0,
        }
    }

    /// What is below this offset.
    fn until(self, offset: i64) -> Self {
        Self {
            stable: self.stable.min(offset),
            end: self.end.min(offset),
            ..self
        }
    }

    /// Whether a store that reaches so far has all that counts in it.
    ///
    /// The marker of the transaction that has written it last is all that may be missing. If there is one more offset, and
    /// the log was stable up to its end, then it is that marker: below the end it has to be, and in the store's part it is
    /// not.
    pub(super) fn has_nothing_for(&self, reached: Reached) -> bool {
        match reached {
            Reached::Read(offset) => offset == self.end,
            Reached::Written(offset) => {
                offset == self.end || offset + 1 == self.end && self.stable == self.end
            }
        }
    }
}

/// Asks where changelogs begin and end.
pub(super) fn logs(
    admin: &Admin,
    reader: &PartitionReader,
    changelogs: &[Changelog],
    at_start: &TopicIds,
) -> Result<Vec<Log>, ClientError> {
    let has_any = |changelog: &&Changelog| changelog.until > 0;
    let asked = changelogs.iter().filter(has_any);
    let asked: Vec<TopicPartition> = asked.map(|c| c.partition.clone()).collect();
    let mut answers = whole_logs(admin, reader, &asked, at_start)?.into_iter();
    let log = |changelog: &Changelog| match has_any(&changelog) {
        true => Some(answers.next()?.until(changelog.until)),
        false => Some(Log::empty(&changelog.partition)),
    };
    Ok(changelogs.iter().filter_map(log).collect())
}

fn whole_logs(
    admin: &Admin,
    reader: &PartitionReader,
    changelogs: &[TopicPartition],
    at_start: &TopicIds,
) -> Result<Vec<Log>, ClientError> {
    let ids = ids(admin, changelogs, at_start)?;
    // In this order: what is stable now is so at the end that is told later; a start that moves on meanwhile is found when
    // it is read.
    let stable = reader.stable_ends(changelogs, LOGS_TIMEOUT)?;
    let ends = admin.log_offsets(changelogs, LogEnd::Last, LOGS_TIMEOUT)?;
    let starts = admin.log_offsets(changelogs, LogEnd::First, LOGS_TIMEOUT)?;
    let bounds = starts.into_iter().zip(stable).zip(ends);
    let log = |(changelog, ((start, stable), end)): (&TopicPartition, ((i64, i64), i64))| Log {
        changelog: changelog.clone(),
        topic: ids.of(&changelog.topic),
        start,
        stable,
        end,
    };
    Ok(changelogs.iter().zip(bounds).map(log).collect())
}

/// Which topics they are. It is an error if one is not there, or not the one that it was when the job started.
fn ids(
    admin: &Admin,
    changelogs: &[TopicPartition],
    at_start: &TopicIds,
) -> Result<TopicIds, ClientError> {
    let topics: Vec<&str> = changelogs.iter().map(|c| &*c.topic).collect();
    let told = admin.topic_ids(&topics, LOGS_TIMEOUT)?;
    let wrong = |topic: &&str| store_start::wrong_topic(topic, &told, at_start.of(topic));
    let Some(wrong) = topics.iter().find_map(wrong) else {
        return Ok(told);
    };
    let error = ClientError::new("restoring", Code::UnknownTopicOrPartition, wrong);
    Err(error.with_remedy(Remedy::Retry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(stable: i64, end: i64) -> Log {
        Log {
            changelog: TopicPartition::new("changelog", 0),
            topic: None,
            start: 0,
            stable,
            end,
        }
    }

    #[test]
    fn only_the_marker_of_its_own_transaction_is_nothing_for_a_store() {
        assert!(log(7, 7).has_nothing_for(Reached::Read(7)));
        assert!(log(5, 7).has_nothing_for(Reached::Written(7)));
        assert!(log(8, 8).has_nothing_for(Reached::Written(7)));
        // A record without a transaction, or of one that is not ended.
        assert!(!log(8, 8).has_nothing_for(Reached::Read(7)));
        assert!(!log(7, 8).has_nothing_for(Reached::Written(7)));
        // A transaction with a record.
        assert!(!log(9, 9).has_nothing_for(Reached::Written(7)));
    }
}
