//! Records: written, read, looked for and deleted.

use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, ProduceRequest, TopicName,
    TransactionalId,
};

use super::{Wire, patiently, text};

impl Wire {
    /// Error code and base offset.
    pub(crate) fn produce(
        &mut self,
        id: Option<&str>,
        topic: &str,
        partition: i32,
        records: &Bytes,
    ) -> (i16, i64) {
        self.produce_acks(-1, id, topic, partition, records)
    }

    pub(crate) fn produce_acks(
        &mut self,
        acks: i16,
        id: Option<&str>,
        topic: &str,
        partition: i32,
        records: &Bytes,
    ) -> (i16, i64) {
        self.produce_as(10, acks, id, topic, partition, records)
    }

    pub(crate) fn produce_as(
        &mut self,
        version: i16,
        acks: i16,
        id: Option<&str>,
        topic: &str,
        partition: i32,
        records: &Bytes,
    ) -> (i16, i64) {
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(records.clone()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(topic)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(id.map(|id| TransactionalId(text(id))))
            .with_acks(acks)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let response = self.ask(version, request);
        let response = &response.responses[0].partition_responses[0];
        (response.error_code, response.base_offset)
    }

    pub(crate) fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        isolation: i8,
    ) -> PartitionData {
        let partition = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(100)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_isolation_level(isolation)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        self.ask(11, request).responses[0].partitions[0].clone()
    }

    /// Error code, timestamp and offset.
    pub(crate) fn list(&mut self, topic: &str, partition: i32, timestamp: i64) -> (i16, i64, i64) {
        self.list_for(7, 0, topic, partition, timestamp)
    }

    /// In a version that knows everything that can be asked for by a negative timestamp.
    pub(crate) fn list_lately(&mut self, topic: &str, timestamp: i64) -> (i16, i64, i64) {
        self.list_for(9, 0, topic, 0, timestamp)
    }

    pub(crate) fn list_committed(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> (i16, i64, i64) {
        self.list_for(7, 1, topic, partition, timestamp)
    }

    fn list_for(
        &mut self,
        version: i16,
        isolation: i8,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> (i16, i64, i64) {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_isolation_level(isolation)
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let response = self.ask(version, request);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.timestamp, partition.offset)
    }

    /// Error code and the new start.
    pub(crate) fn delete(&mut self, topic: &str, partition: i32, before: i64) -> (i16, i64) {
        let partition = DeleteRecordsPartition::default()
            .with_partition_index(partition)
            .with_offset(before);
        let topic = DeleteRecordsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        let response = self.ask(1, request);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    }

    /// Waits until the partition's last stable offset is there.
    pub(crate) fn until_stable(&mut self, topic: &str, partition: i32, offset: i64) {
        let reached = patiently(&[-1], || {
            let stable = self.fetch(topic, partition, 0, 1).last_stable_offset;
            (if stable >= offset { 0 } else { -1 }, stable)
        });
        assert_eq!(reached, (0, offset));
    }
}
