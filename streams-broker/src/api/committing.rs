//! Offsets that a request brings to a group: what OffsetCommit and TxnOffsetCommit have in common.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;

use super::code;
use crate::broker::Broker;
use crate::clock::Millis;
use crate::groups::offsets::Committed;
use crate::groups::{Claim, CommitKind, Committer, Group};
use crate::topics::Topics;

/// One partition's offset.
pub(super) struct Offered {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: Option<StrBytes>,
}

/// The offsets by topic.
pub(super) type ByTopic = Vec<(TopicName, Vec<Offered>)>;

/// Partition and error code, by topic.
pub(super) type Results = Vec<(TopicName, Vec<(i32, i16)>)>;

/// When the offsets hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hold {
    /// At once, and until then where the request says so.
    Now { expires: Option<Millis> },
    /// When this producer's transaction commits.
    WithTransactionOf { producer_id: i64 },
}

/// Who commits to which group, and how.
pub(super) struct Commit<'a> {
    pub(super) group: &'a str,
    pub(super) claim: Claim<'a>,
    pub(super) kind: CommitKind,
    pub(super) hold: Hold,
}

impl Commit<'_> {
    /// Commits what may be committed. A claim that doesn't hold for one partition refuses the whole request, as in Apache
    /// Kafka; partitions that don't exist are refused by themselves.
    pub(super) fn of(
        &self,
        broker: &mut Broker,
        allowed: Result<(), ResponseError>,
        topics: ByTopic,
    ) -> Results {
        let now = broker.now();
        let longest = broker.settings.number("offset.metadata.max.bytes");
        let group = allowed.and_then(|()| {
            if !is_for_something(&broker.topics, &topics) {
                // It does not come to the coordinator, which would make the group.
                return Err(ResponseError::UnknownTopicOrPartition);
            }
            let settings = &broker.settings;
            let (group, committer) = broker
                .groups
                .for_commit(self.group, self.claim, self.kind, settings, now)?;
            for (topic, offered) in &topics {
                if let Some(topic) = broker.topics.get(topic) {
                    check(&committer, topic.id, offered)?;
                }
            }
            Ok(group)
        });
        let (mut group, refusal) = match group {
            Ok(group) => (Some(group), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let one_topic = |(topic, offered): (TopicName, Vec<Offered>)| {
            let one = |offered: Offered| {
                let partition = offered.partition;
                let known = broker.topics.log(&topic, partition).is_some();
                let result = match group.as_deref_mut() {
                    _ if allowed.is_ok() && !known => Err(ResponseError::UnknownTopicOrPartition),
                    Some(group) => self.keep(group, &topic, offered, longest, now),
                    None => refusal,
                };
                (partition, code(result))
            };
            let results = offered.into_iter().map(one).collect();
            (topic, results)
        };
        topics.into_iter().map(one_topic).collect()
    }

    fn keep(
        &self,
        group: &mut Group,
        topic: &str,
        offered: Offered,
        longest_metadata: i64,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let metadata = offered
            .metadata
            .map(|metadata| metadata.to_string())
            .unwrap_or_default();
        if i64::try_from(metadata.len()).unwrap_or(i64::MAX) > longest_metadata {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        let committed = Committed {
            offset: offered.offset,
            leader_epoch: offered.leader_epoch,
            metadata,
            at: now,
            expires: None,
        };
        let (offsets, partition) = (&mut group.offsets, offered.partition);
        match self.hold {
            Hold::Now { expires } => {
                offsets.commit(
                    topic,
                    partition,
                    Committed {
                        expires,
                        ..committed
                    },
                );
            }
            Hold::WithTransactionOf { producer_id } => {
                offsets.commit_later(producer_id, topic, partition, committed);
            }
        }
        Ok(())
    }
}

/// Whether there is any of the partitions (`KafkaApis.handleOffsetCommitRequest`).
pub(super) fn is_for_something(known: &Topics, topics: &ByTopic) -> bool {
    topics.iter().any(|(topic, offered)| {
        let mut partitions = offered.iter().map(|offered| offered.partition);
        partitions.any(|partition| known.log(topic, partition).is_some())
    })
}

fn check(
    committer: &Committer,
    topic: uuid::Uuid,
    offered: &[Offered],
) -> Result<(), ResponseError> {
    offered
        .iter()
        .try_for_each(|offered| committer.check(topic, offered.partition))
}
