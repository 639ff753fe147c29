//! Producers, their transactions, and the offsets that they commit.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest,
    GroupId, InitProducerIdRequest, OffsetCommitRequest, OffsetFetchRequest, ProducerId, TopicName,
    TransactionalId, TxnOffsetCommitRequest,
};

use super::{Wire, patiently, text, unique};

impl Wire {
    pub(crate) fn initialise(
        &mut self,
        id: &str,
        timeout: i32,
        producer: (i64, i16),
    ) -> (i16, (i64, i16)) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(id))))
            .with_transaction_timeout_ms(timeout)
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1);
        let response = self.ask(4, request);
        (
            response.error_code,
            (response.producer_id.0, response.producer_epoch),
        )
    }

    /// A producer without a transactional id. A broker that has just started may have no ids yet.
    pub(crate) fn idempotent_producer(&mut self) -> (i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000);
        let (code, producer) = patiently(&[14, 15, 16], || {
            let answer = self.ask(4, request.clone());
            let producer = (answer.producer_id.0, answer.producer_epoch);
            (answer.error_code, producer)
        });
        assert_eq!(code, 0);
        producer
    }

    /// A transactional id and its producer.
    pub(crate) fn producer(&mut self) -> (String, (i64, i16)) {
        let id = unique("tx");
        self.find_coordinator(&id, 1);
        let (code, producer) =
            patiently(&[14, 15, 16, 51], || self.initialise(&id, 60_000, (-1, -1)));
        assert_eq!(code, 0);
        (id, producer)
    }

    pub(crate) fn find_coordinator(&mut self, key: &str, kind: i8) {
        let request = FindCoordinatorRequest::default()
            .with_key(text(key))
            .with_key_type(kind);
        assert_eq!(
            patiently(&[14, 15], || (self.ask(2, request.clone()).error_code, ())).0,
            0
        );
    }

    pub(crate) fn add_partitions(
        &mut self,
        id: &str,
        producer: (i64, i16),
        topic: &str,
        partitions: &[i32],
    ) -> Vec<i16> {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(partitions.to_vec());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(id)))
            .with_v3_and_below_producer_id(ProducerId(producer.0))
            .with_v3_and_below_producer_epoch(producer.1)
            .with_v3_and_below_topics(vec![topic]);
        let response = self.ask(0, request);
        let mut results = response.results_by_topic_v3_and_below[0]
            .results_by_partition
            .clone();
        results.sort_by_key(|result| result.partition_index);
        results
            .iter()
            .map(|result| result.partition_error_code)
            .collect()
    }

    pub(crate) fn add_offsets(&mut self, id: &str, producer: (i64, i16), group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_group_id(GroupId(text(group)));
        self.ask(0, request).error_code
    }

    pub(crate) fn commit_offset(
        &mut self,
        id: &str,
        producer: (i64, i16),
        group: &str,
        topic: &str,
        offset: i64,
    ) -> i16 {
        self.commit_offset_as(3, id, producer, group, topic, offset)
    }

    pub(crate) fn commit_offset_as(
        &mut self,
        version: i16,
        id: &str,
        producer: (i64, i16),
        group: &str,
        topic: &str,
        offset: i64,
    ) -> i16 {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_group_id(GroupId(text(group)))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        self.ask(version, request).topics[0].partitions[0].error_code
    }

    /// Commits an offset as nobody's member.
    pub(crate) fn commit_plainly(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        self.ask(8, request).topics[0].partitions[0].error_code
    }

    pub(crate) fn end(&mut self, id: &str, producer: (i64, i16), commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_committed(commit);
        self.ask(1, request).error_code
    }

    /// Error code and committed offset.
    pub(crate) fn committed(&mut self, group: &str, topic: &str, stable: bool) -> (i16, i64) {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(Some(vec![topic]))
            .with_require_stable(stable);
        let response = self.ask(7, request);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.committed_offset)
    }
}
