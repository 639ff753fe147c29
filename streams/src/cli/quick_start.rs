//! A Kafka of the job's own, with topics and records: what a run without `--bootstrap-servers` starts.

use super::Sample;
use super::arguments::End;
use crate::kafka::admin::Admin;
use crate::kafka::producer::{Outgoing, Producer};
use crate::kafka::properties::Properties;
use crate::processor::Headers;
use crate::processor::partition_for_key;
use crate::testing::RawRecord;
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use streams_broker::EmbeddedKafka;

/// How many partitions each topic gets.
const PARTITIONS: i32 = 4;

/// How many samples are there before the job starts.
const AT_THE_START: u64 = 5_000;

/// How many follow each [`PAUSE`].
const A_TIME: u64 = 50;

/// For records on their way to the embedded broker.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two groups of samples.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct QuickStart {
    kafka: EmbeddedKafka,
    properties: Properties,
    samples: Vec<(String, Sample)>,
    records: Vec<(String, Vec<RawRecord>)>,
}

impl QuickStart {
    /// Starts the broker and creates the topology's topics.
    pub(super) async fn start(
        topology: &Topology,
        samples: Vec<(String, Sample)>,
        records: Vec<(String, Vec<RawRecord>)>,
    ) -> Result<Self> {
        let kafka = EmbeddedKafka::start()
            .map_err(|e| Error::Cluster(format!("the embedded Kafka did not start: {e}")))?;
        tracing::info!(
            "embedded Kafka is listening on {0} (look on with `kcat -b {0} -L`); its data is gone when this process ends",
            kafka.bootstrap_servers()
        );
        let properties = Properties::new(kafka.bootstrap_servers());
        let admin = Admin::new(&properties).map_err(|e| Error::Client(e.to_string()))?;
        for topic in topology
            .source_topics()
            .chain(topology.global_topics())
            .chain(topology.sink_topics())
            .chain(topology.config().dead_letter_topics())
            .collect::<BTreeSet<_>>()
        {
            admin
                .create_topic(topic, PARTITIONS, &[])
                .await
                .map_err(|e| Error::Client(e.to_string()))?;
            tracing::info!("created topic `{topic}` with {PARTITIONS} partitions");
        }
        Ok(Self {
            kafka,
            properties,
            samples,
            records,
        })
    }

    pub(super) fn bootstrap_servers(&self) -> &str {
        self.kafka.bootstrap_servers()
    }

    pub(super) fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Writes the first samples; more follow on a thread of their own while the result lives, unless the run is bounded.
    pub(super) fn feed(self, end: End) -> Result<Feeding> {
        let producer = Producer::new(&self.properties.idempotent_producer(0))
            .map_err(|e| Error::Client(e.to_string()))?;
        let mut feeder = Feeder {
            producer,
            topics: Vec::new(),
        };
        for (topic, make) in self.samples {
            let handle = feeder
                .producer
                .topic(&topic)
                .map_err(|e| Error::Client(e.to_string()))?;
            feeder.topics.push(Feed {
                topic: handle,
                make,
                next: 0,
            });
            tracing::info!("writing {AT_THE_START} records to `{topic}`");
        }
        feeder.write(AT_THE_START)?;
        for (topic, records) in &self.records {
            tracing::info!("writing {} records to `{topic}`", records.len());
            feeder.write_records(topic, records)?;
        }
        let stop = Arc::new(AtomicBool::new(end == End::UntilLatest));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("streams-samples".into())
            .spawn(move || feeder.run(&stopped))
            .map_err(|source| Error::Io {
                what: "starting the samples' thread".into(),
                source,
            })?;
        Ok(Feeding {
            stop,
            thread: Some(thread),
            _kafka: self.kafka,
        })
    }
}

/// Samples are being written; dropping it ends that, and the broker.
pub(super) struct Feeding {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _kafka: EmbeddedKafka,
}

impl Drop for Feeding {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends by itself; a panic in a user's sample function has been printed.
            let _ = thread.join();
        }
    }
}

struct Feed {
    topic: crate::kafka::producer::OutputTopic,
    make: Sample,
    next: u64,
}

struct Feeder {
    producer: Producer,
    topics: Vec<Feed>,
}

impl Feeder {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSE);
            if let Err(error) = self.write(A_TIME) {
                tracing::warn!(%error, "no more samples are written");
                return;
            }
        }
    }

    /// Writes each record to the partition of its key, or else from partition to partition, and waits until they have
    /// arrived.
    fn write_records(&mut self, topic: &str, records: &[RawRecord]) -> Result<()> {
        let topic = self.producer.topic(topic)?;
        let now = now();
        for (record, turn) in records.iter().zip((0..PARTITIONS).cycle()) {
            let key = record.key.as_deref();
            let outgoing = Outgoing {
                partition: key.map_or(turn, |key| partition_for_key(key, PARTITIONS)),
                key,
                value: record.value.as_deref(),
                timestamp: record.timestamp.unwrap_or(now),
                headers: &record.headers,
            };
            self.producer.produce(topic, &outgoing)?;
        }
        Ok(self.producer.flush(FLUSH_TIMEOUT)?)
    }

    /// Writes `count` samples to each topic, spread over its partitions, and waits until they have arrived.
    fn write(&mut self, count: u64) -> Result<()> {
        let timestamp = now();
        for feed in &mut self.topics {
            for _ in 0..count {
                let text = (feed.make)(feed.next);
                let partition =
                    i32::try_from(feed.next % u64::from(PARTITIONS.unsigned_abs())).unwrap_or(0);
                feed.next += 1;
                let record = Outgoing {
                    partition,
                    key: None,
                    value: Some(text.as_bytes()),
                    timestamp,
                    headers: Headers::EMPTY,
                };
                self.producer
                    .produce(feed.topic, &record)
                    .map_err(|e| Error::Client(e.to_string()))?;
            }
        }
        self.producer
            .flush(FLUSH_TIMEOUT)
            .map_err(|e| Error::Client(e.to_string()))
    }
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.map_or(0, |d| d.as_millis())).unwrap_or(i64::MAX)
}
