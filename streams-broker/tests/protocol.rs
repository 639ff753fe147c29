//! Error codes and offsets on the wire, without a client library in between.
//!
//! `KAFKA_BOOTSTRAP_SERVERS` runs the same cases on another broker: what is asserted here is what Apache Kafka does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
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

fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    format!("{name}-{time:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Asks until the answer has another code than these: a coordinator that is loading, or a marker that is under way.
fn patiently<T>(not: &[i16], mut ask: impl FnMut() -> (i16, T)) -> (i16, T) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (code, answer) = ask();
        if !not.contains(&code) || Instant::now() > deadline {
            return (code, answer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Wire {
    stream: TcpStream,
    asked: i32,
}

impl Wire {
    fn new() -> Self {
        Self {
            stream: TcpStream::connect(address()).unwrap(),
            asked: 0,
        }
    }

    fn ask<R: Request>(&mut self, version: i16, request: R) -> R::Response {
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

    fn create(
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
    fn topic(&mut self) -> String {
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
    fn produce(
        &mut self,
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
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let response = self.ask(10, request);
        let response = &response.responses[0].partition_responses[0];
        (response.error_code, response.base_offset)
    }

    fn initialise(&mut self, id: &str, timeout: i32, producer: (i64, i16)) -> (i16, (i64, i16)) {
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
    fn producer(&mut self) -> (String, (i64, i16)) {
        let id = unique("tx");
        self.find_coordinator(&id, 1);
        let (code, producer) =
            patiently(&[14, 15, 16, 51], || self.initialise(&id, 60_000, (-1, -1)));
        assert_eq!(code, 0);
        (id, producer)
    }

    fn find_coordinator(&mut self, key: &str, kind: i8) {
        let request = FindCoordinatorRequest::default()
            .with_key(text(key))
            .with_key_type(kind);
        assert_eq!(
            patiently(&[14, 15], || (self.ask(2, request.clone()).error_code, ())).0,
            0
        );
    }

    fn add_partitions(
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
        let results = &response.results_by_topic_v3_and_below[0].results_by_partition;
        results
            .iter()
            .map(|result| result.partition_error_code)
            .collect()
    }

    fn add_offsets(&mut self, id: &str, producer: (i64, i16), group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_group_id(GroupId(text(group)));
        self.ask(0, request).error_code
    }

    fn commit_offset(
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

    fn end(&mut self, id: &str, producer: (i64, i16), commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_committed(commit);
        self.ask(1, request).error_code
    }

    /// Error code and committed offset.
    fn committed(&mut self, group: &str, topic: &str, stable: bool) -> (i16, i64) {
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

    fn fetch(&mut self, topic: &str, partition: i32, offset: i64, isolation: i8) -> PartitionData {
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

    /// Waits until the partition's last stable offset is there.
    fn until_stable(&mut self, topic: &str, partition: i32, offset: i64) {
        let reached = patiently(&[-1], || {
            let stable = self.fetch(topic, partition, 0, 1).last_stable_offset;
            (if stable >= offset { 0 } else { -1 }, stable)
        });
        assert_eq!(reached, (0, offset));
    }
}

/// A batch of empty records.
fn batch(producer: (i64, i16), sequence: i32, count: u8, transactional: bool) -> Bytes {
    use bytes::BufMut;
    let mut covered = BytesMut::new();
    covered.put_i16(if transactional { 0x10 } else { 0 });
    covered.put_i32(i32::from(count) - 1);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let now = i64::try_from(now).unwrap();
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

// Transactions.

#[test]
fn an_older_epoch_is_fenced_everywhere() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, old) = wire.producer();
    assert_eq!(wire.add_partitions(&id, old, &topic, &[0]), [0]);
    // An open transaction is aborted first; then the epoch is two further.
    assert_eq!(wire.initialise(&id, 60_000, (-1, -1)).0, 51);
    let (code, new) = patiently(&[51], || wire.initialise(&id, 60_000, (-1, -1)));
    assert_eq!((code, new), (0, (old.0, old.1 + 2)));
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(old, 0, 1, true))
            .0,
        47
    );
    assert_eq!(wire.add_partitions(&id, old, &topic, &[0]), [47]);
    assert_eq!(wire.add_offsets(&id, old, "g"), 47);
    assert_eq!(wire.commit_offset(&id, old, "g", &topic, 1), 47);
    assert_eq!(wire.end(&id, old, true), 47);
    assert_eq!(wire.initialise(&id, 60_000, old).0, 90);
    // A later epoch is no better, and a foreign producer is none of this id's.
    let later = (new.0, new.1 + 1);
    assert_eq!(wire.add_partitions(&id, later, &topic, &[0]), [47]);
    assert_eq!(wire.end(&id, later, true), 47);
    assert_eq!(wire.end(&id, (new.0 + 1_000_000, new.1), true), 49);
    // With nothing open the epoch goes up by one.
    assert_eq!(
        wire.initialise(&id, 60_000, (-1, -1)),
        (0, (new.0, new.1 + 1))
    );
}

#[test]
fn what_is_not_registered_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.end(&id, producer, true), 48);
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 1, true))
            .0,
        48
    );
    assert_eq!(
        wire.commit_offset(&id, producer, &unique("g"), &topic, 1),
        48
    );
}

#[test]
fn partitions_are_added_all_or_none() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(
        wire.add_partitions(&id, producer, &topic, &[0, 99]),
        [55, 3]
    );
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 1, true))
            .0,
        48
    );
}

#[test]
fn an_end_may_be_repeated_but_not_changed() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    assert_eq!(wire.end(&id, producer, true), 0);
    assert_eq!(
        patiently(&[51], || (wire.end(&id, producer, true), ())).0,
        0
    );
    assert_eq!(wire.end(&id, producer, false), 48);
}

#[test]
fn every_registered_partition_gets_a_marker() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0, 1]), [0, 0]);
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 3, true)),
        (0, 0)
    );
    let open = wire.fetch(&topic, 0, 0, 1);
    assert_eq!((open.last_stable_offset, open.high_watermark), (0, 3));
    assert_eq!(wire.end(&id, producer, false), 0);
    wire.until_stable(&topic, 0, 4);
    // One record was there before, of which this transaction knows nothing.
    wire.until_stable(&topic, 1, 2);
    let aborted = |data: PartitionData| {
        let list = data.aborted_transactions?;
        Some(
            list.iter()
                .map(|aborted| (aborted.producer_id.0, aborted.first_offset))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        aborted(wire.fetch(&topic, 0, 0, 1)),
        Some(vec![(producer.0, 0)])
    );
    assert_eq!(aborted(wire.fetch(&topic, 1, 0, 1)).unwrap_or_default(), []);
    assert_eq!(aborted(wire.fetch(&topic, 0, 0, 0)), None);
    let marker = wire.fetch(&topic, 1, 1, 0).records.unwrap();
    // Key `0,0,0,0` for an abort, value of six bytes, one offset.
    assert_eq!(
        (marker[7], marker[61 + 5..61 + 9].to_vec(), marker.len()),
        (1, vec![0, 0, 0, 0], 78)
    );
}

#[test]
fn offsets_are_unstable_until_the_end() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let (id, producer) = wire.producer();
    assert_eq!(
        patiently(&[14, 15, 16], || wire.committed(&group, &topic, true)),
        (0, -1)
    );
    assert_eq!(wire.add_offsets(&id, producer, &group), 0);
    assert_eq!(wire.commit_offset(&id, producer, &group, &topic, 5), 0);
    assert_eq!(wire.committed(&group, &topic, true), (88, -1));
    assert_eq!(wire.committed(&group, &topic, false), (0, -1));
    assert_eq!(wire.end(&id, producer, true), 0);
    assert_eq!(
        patiently(&[88], || wire.committed(&group, &topic, true)),
        (0, 5)
    );
    // A new producer drops what the one before left pending.
    assert_eq!(
        patiently(&[51], || (wire.add_offsets(&id, producer, &group), ())).0,
        0
    );
    assert_eq!(wire.commit_offset(&id, producer, &group, &topic, 9), 0);
    assert_eq!(wire.initialise(&id, 60_000, (-1, -1)).0, 51);
    assert_eq!(
        patiently(&[88], || wire.committed(&group, &topic, true)),
        (0, 5)
    );
}

#[test]
fn a_timeout_must_be_one() {
    let mut wire = Wire::new();
    let (id, _) = wire.producer();
    for timeout in [0, 900_001] {
        assert_eq!(wire.initialise(&id, timeout, (-1, -1)).0, 50);
    }
}

// Idempotence.

#[test]
fn sequences_have_no_gaps_and_no_doubles() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let id = wire
        .ask(
            4,
            InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_transaction_timeout_ms(60_000),
        )
        .producer_id
        .0;
    // A producer that the partition doesn't know may start anywhere.
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 7, 2, false)),
        (0, 0)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 9, 2, false)),
        (0, 2)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 7, 2, false)),
        (0, 0)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 12, 1, false))
            .0,
        45
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 1), 11, 1, false))
            .0,
        45
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 1), 0, 1, false)),
        (0, 4)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 11, 1, false))
            .0,
        47
    );
}

// Topics and fetches.

#[test]
fn topics_that_cannot_be_are_refused() {
    let mut wire = Wire::new();
    let name = unique("x.y");
    assert_eq!(wire.create(&name, 1, 1, &[]), 0);
    assert_eq!(wire.create(&name, 1, 1, &[]), 36);
    for bad in ["", ".", "a b", &"x".repeat(250), &name.replace('.', "_")] {
        assert_eq!(wire.create(bad, 1, 1, &[]), 17, "{bad}");
    }
    for partitions in [0, -2] {
        assert_eq!(wire.create(&unique("p"), partitions, 1, &[]), 37);
    }
    for replicas in [0, 3] {
        assert_eq!(wire.create(&unique("r"), 1, replicas, &[]), 38);
    }
    assert_eq!(
        wire.create(&unique("c"), 1, 1, &[("no.such.config", "1")]),
        40
    );
    assert_eq!(
        wire.create(&unique("c"), 1, 1, &[("retention.ms", "soon")]),
        40
    );
    assert_eq!(wire.create(&unique("d"), -1, -1, &[]), 0);
}

#[test]
fn fetches_beyond_the_log_are_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let above = wire.fetch(&topic, 1, 2, 0);
    assert_eq!(
        (
            above.error_code,
            above.high_watermark,
            above.last_stable_offset
        ),
        (1, -1, -1)
    );
    assert_eq!(wire.fetch(&topic, 1, 1, 0).error_code, 0);
    assert_eq!(wire.fetch(&topic, 9, 0, 0).error_code, 3);
}

#[test]
fn a_control_batch_or_a_damaged_one_is_not_taken_from_a_client() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let mut damaged = BytesMut::from(batch((-1, -1), -1, 1, false).as_ref());
    damaged[63] ^= 1;
    assert_eq!(wire.produce(None, &topic, 0, &damaged.freeze()).0, 2);
}
