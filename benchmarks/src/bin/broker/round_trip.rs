//! The shortest transaction: register a partition, write one record, commit; each step waits for the one before.

use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ProduceRequest, ProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use streams_tests::TestCluster;

use crate::Failure;
use crate::wire::Wire;

const WARM_UP: i32 = 500;
const MEASURED: i32 = 2_000;
const CONCURRENT_TRANSACTIONS: i16 = 51;
/// A coordinator that is being made.
const NOT_YET: [i16; 4] = [14, 15, 16, CONCURRENT_TRANSACTIONS];

struct Transactional {
    wire: Wire,
    id: TransactionalId,
    topic: TopicName,
    producer: ProducerId,
    epoch: i16,
}

/// Times of transactions in a row, from begin to the answer to the commit.
pub(crate) fn transactions(cluster: &TestCluster) -> Result<String, Failure> {
    let mut client = Transactional::start(cluster)?;
    let mut times = Vec::new();
    for number in 0..WARM_UP + MEASURED {
        let began = Instant::now();
        client.add_partition()?;
        client.produce(number)?;
        client.commit()?;
        times.push(began.elapsed());
    }
    let mut times = times.split_off(usize::try_from(WARM_UP)?);
    times.sort_unstable();
    Ok(format!(
        "p50 {:.2?}, p99 {:.2?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    ))
}

impl Transactional {
    fn start(cluster: &TestCluster) -> Result<Self, Failure> {
        let topic = cluster.topic("round-trip", 1);
        let name = StrBytes::from_string(topic);
        let mut client = Self {
            wire: Wire::to(cluster.bootstrap_servers())?,
            id: TransactionalId(name.clone()),
            topic: TopicName(name.clone()),
            producer: ProducerId(-1),
            epoch: -1,
        };
        let find = FindCoordinatorRequest::default()
            .with_key(name)
            .with_key_type(1);
        client.repeat("FindCoordinator", |wire| Ok(wire.ask(2, &find)?.error_code))?;
        let initialise = InitProducerIdRequest::default()
            .with_transactional_id(Some(client.id.clone()))
            .with_transaction_timeout_ms(60_000);
        let mut owner = (ProducerId(-1), -1);
        client.repeat("InitProducerId", |wire| {
            let answer = wire.ask(4, &initialise)?;
            owner = (answer.producer_id, answer.producer_epoch);
            Ok(answer.error_code)
        })?;
        (client.producer, client.epoch) = owner;
        Ok(client)
    }

    /// Asks as long as the answer is that it is too early.
    fn repeat(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&mut Wire) -> Result<i16, Failure>,
    ) -> Result<(), Failure> {
        loop {
            match ask(&mut self.wire)? {
                0 => return Ok(()),
                code if NOT_YET.contains(&code) => {}
                code => return Err(format!("{what}: error {code}").into()),
            }
        }
    }

    fn add_partition(&mut self) -> Result<(), Failure> {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(self.topic.clone())
            .with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(self.producer)
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        self.repeat("AddPartitionsToTxn", |wire| {
            let answer = wire.ask(3, &request)?;
            let result = &answer.results_by_topic_v3_and_below[0].results_by_partition[0];
            Ok(result.partition_error_code)
        })
    }

    fn produce(&mut self, number: i32) -> Result<(), Failure> {
        let data = PartitionProduceData::default().with_records(Some(self.batch(number)?));
        let topic = TopicProduceData::default()
            .with_name(self.topic.clone())
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(self.id.clone()))
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        self.repeat("Produce", |wire| {
            Ok(wire.ask(9, &request)?.responses[0].partition_responses[0].error_code)
        })
    }

    fn batch(&self, sequence: i32) -> Result<Bytes, Failure> {
        let record = Record {
            transactional: true,
            control: false,
            partition_leader_epoch: -1,
            producer_id: self.producer.0,
            producer_epoch: self.epoch,
            timestamp_type: TimestampType::Creation,
            offset: 0,
            sequence,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(Bytes::from_static(&[b'x'; 100])),
            headers: IndexMap::new(),
        };
        let options = RecordEncodeOptions {
            version: 2,
            compression: Compression::None,
        };
        let mut bytes = bytes::BytesMut::new();
        RecordBatchEncoder::encode(&mut bytes, [&record], &options)?;
        Ok(bytes.freeze())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.producer)
            .with_producer_epoch(self.epoch)
            .with_committed(true);
        self.repeat("EndTxn", |wire| Ok(wire.ask(3, &request)?.error_code))
    }
}
