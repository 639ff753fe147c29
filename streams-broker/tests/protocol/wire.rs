//! A client that speaks the protocol and nothing more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, BrokerId, CreateTopicsRequest,
    EndTxnRequest, FetchRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest,
    OffsetFetchRequest, ProduceRequest, ProducerId, RequestHeader, ResponseHeader, TopicName,
    TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::messages::{
    CreatePartitionsRequest, DeleteRecordsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use streams_broker::EmbeddedKafka;

fn address() -> &'static str {
    static KAFKA: OnceLock<(Option<EmbeddedKafka>, String)> = OnceLock::new();
    let (_, address) = KAFKA.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
        Ok(address) => (None, address),
        Err(_) => {
            let kafka = EmbeddedKafka::start().unwrap();
            let address = kafka.bootstrap_servers().to_owned();
            (Some(kafka), address)
        }
    });
    address
}

pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    format!("{name}-{time:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Asks until the answer has another code than these: a coordinator that is loading, or a marker that is under way.
pub(crate) fn patiently<T>(not: &[i16], mut ask: impl FnMut() -> (i16, T)) -> (i16, T) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (code, answer) = ask();
        if !not.contains(&code) || Instant::now() > deadline {
            return (code, answer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) struct Wire {
    stream: TcpStream,
    asked: i32,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            stream: TcpStream::connect(address()).unwrap(),
            asked: 0,
        }
    }

    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        self.asked += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.asked)
            .with_client_id(Some(text("wire")));
        let mut frame = BytesMut::new();
        header
            .encode(&mut frame, R::header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        self.stream
            .write_all(&i32::try_from(frame.len()).unwrap().to_be_bytes())
            .unwrap();
        self.stream.write_all(&frame).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut answer).unwrap();
        let mut answer = Bytes::from(answer);
        let header =
            ResponseHeader::decode(&mut answer, R::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.asked);
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(answer.is_empty(), "bytes after the answer");
        response
    }

    pub(crate) fn create(
        &mut self,
        name: &str,
        partitions: i32,
        replicas: i16,
        configs: &[(&str, &str)],
    ) -> i16 {
        let config = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        self.ask(4, request).topics[0].error_code
    }

    /// A topic of two partitions that is ready for use.
    pub(crate) fn topic(&mut self) -> String {
        let name = unique("t");
        assert_eq!(self.create(&name, 2, 1, &[]), 0);
        let ready = patiently(&[3, 5, 6], || {
            (
                self.produce(None, &name, 1, &batch((-1, -1), -1, 1, false))
                    .0,
                (),
            )
        });
        assert_eq!(ready.0, 0);
        name
    }

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
        let response = self.ask(10, request);
        let response = &response.responses[0].partition_responses[0];
        (response.error_code, response.base_offset)
    }

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
        self.ask(3, request).topics[0].partitions[0].error_code
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
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let response = self.ask(7, request);
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

    /// Alters one configuration: 0 sets it, 1 deletes it, 2 appends to a list, 3 subtracts from one.
    pub(crate) fn alter(&mut self, topic: &str, name: &str, operation: i8, value: &str) -> i16 {
        let config = AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(Some(text(value)).filter(|_| operation != 1));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.ask(1, request).responses[0].error_code
    }

    /// The value of a topic's configuration.
    pub(crate) fn config(&mut self, topic: &str, name: &str) -> String {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configuration_keys(Some(vec![text(name)]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        self.ask(4, request).results[0].configs[0]
            .value
            .clone()
            .unwrap()
            .to_string()
    }

    pub(crate) fn grow(&mut self, topic: &str, count: i32) -> i16 {
        let topic = CreatePartitionsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        self.ask(1, request).results[0].error_code
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

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// A batch of empty records of now.
pub(crate) fn batch(producer: (i64, i16), sequence: i32, count: u8, transactional: bool) -> Bytes {
    encode(producer, sequence, count, transactional, now())
}

/// A batch of empty records of one time, from no producer that is known.
pub(crate) fn batch_at(timestamp: i64, count: u8) -> Bytes {
    encode((-1, -1), -1, count, false, timestamp)
}

fn encode(producer: (i64, i16), sequence: i32, count: u8, transactional: bool, now: i64) -> Bytes {
    use bytes::BufMut;
    let mut covered = BytesMut::new();
    covered.put_i16(if transactional { 0x10 } else { 0 });
    covered.put_i32(i32::from(count) - 1);
    covered.put_i64(now);
    covered.put_i64(now);
    covered.put_i64(producer.0);
    covered.put_i16(producer.1);
    covered.put_i32(sequence);
    covered.put_i32(i32::from(count));
    for index in 0..count {
        covered.put_slice(&[12, 0, 0, index * 2, 1, 1, 0]);
    }
    let mut bytes = BytesMut::new();
    bytes.put_i64(0);
    bytes.put_i32(i32::try_from(covered.len() + 9).unwrap());
    bytes.put_i32(-1);
    bytes.put_i8(2);
    bytes.put_u32(crc32c::crc32c(&covered));
    bytes.put_slice(&covered);
    bytes.freeze()
}
