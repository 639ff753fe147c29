//! TxnOffsetCommit: keeps offsets until the producer's transaction ends.
//!
//! The member's claim is checked as well as the producer's, so that a consumer that was replaced cannot commit (KIP-447).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::committing::{ByTopic, Commit, Hold, Offered, is_for_something};
use super::{Context, abortable};
use crate::broker::Broker;
use crate::groups::{Claim, CommitKind};
use crate::transactions::ProducerIdentity;

/// The version from which on offsets register their group (KIP-890).
const REGISTERS: i16 = 5;
/// The last version that doesn't know TRANSACTION_ABORTABLE.
const KNOWS_NO_ABORT: i16 = 3;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let producer = ProducerIdentity {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let now = broker.now();
    let topics = request.topics.into_iter().map(|topic| {
        (
            topic.name,
            topic.partitions.into_iter().map(offered).collect(),
        )
    });
    let topics: ByTopic = topics.collect();
    let registered = context.check().and_then(|()| {
        if !is_for_something(&broker.topics, &topics) {
            return Ok(());
        }
        let transactions = &mut broker.transactions;
        let (id, group) = (&request.transactional_id, &request.group_id);
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if context.version >= REGISTERS {
            return transactions.register_group(id, producer, group, now);
        }
        let check = transactions.check_offsets(id, producer, group);
        check.map_err(|error| abortable(error, context.version > KNOWS_NO_ABORT))
    });
    let commit = Commit {
        group: &request.group_id,
        claim: Claim {
            member_id: &request.member_id,
            instance: request.group_instance_id.as_deref(),
            generation: request.generation_id,
        },
        kind: CommitKind::Transactional,
        hold: Hold::WithTransactionOf {
            producer_id: producer.id,
        },
    };
    let results = commit.of(broker, registered, topics);
    let topics = results.into_iter().map(|(name, partitions)| {
        let partition = |(index, code)| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code)
        };
        TxnOffsetCommitResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions.into_iter().map(partition).collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

fn offered(partition: TxnOffsetCommitRequestPartition) -> Offered {
    Offered {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata,
    }
}
