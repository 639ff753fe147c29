//! A job in this process, with its topics, its events and a state directory.

use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use streams::prelude::*;
use streams::runtime::{Event, Job, JobHandle, Properties, Summary};
use streams_tests::{ReadRecord, Sender, TestCluster, wait_until};
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(60);

type Events = Arc<Mutex<Vec<Event>>>;

pub(crate) struct Fixture<'a> {
    pub(crate) cluster: &'a TestCluster,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) application: String,
    pub(crate) events: Events,
    pub(crate) directories: Vec<TempDir>,
    /// Properties of the job's clients, beside where the cluster is.
    pub(crate) properties: Vec<(&'static str, &'static str)>,
    produced: usize,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Fixture<'static> {
    /// On the cluster that the tests share.
    pub(crate) fn new(partitions: i32) -> Self {
        Fixture::on(TestCluster::shared(), partitions)
    }
}

impl<'a> Fixture<'a> {
    pub(crate) fn on(cluster: &'a TestCluster, partitions: i32) -> Self {
        Self {
            cluster,
            properties: Vec::new(),
            input: cluster.topic("in", partitions),
            output: cluster.topic("out", partitions),
            application: cluster.unique("job"),
            events: Events::default(),
            directories: Vec::new(),
            produced: 0,
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    pub(crate) fn builder(&self) -> TopologyBuilder {
        let builder = TopologyBuilder::new(self.application.as_str());
        builder.checkpoint_interval(Duration::from_millis(200));
        builder
    }

    /// A topology that changes the strings of the input.
    pub(crate) fn mapping(
        &self,
        builder: &TopologyBuilder,
        map: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Topology {
        let text: KStream<Keyless, str> =
            builder.source(&self.input, streams::ByType, streams::ByType);
        streams::sink(
            text.map_values(map),
            &self.output,
            streams::ByType,
            streams::ByType,
        );
        builder.build()
    }

    pub(crate) fn job(&mut self, topology: Topology) -> Job {
        let directory = tempfile::tempdir().unwrap();
        let job = self.job_in(directory.path(), topology);
        self.directories.push(directory);
        job
    }

    pub(crate) fn job_in(&self, directory: &Path, topology: Topology) -> Job {
        let events = Arc::clone(&self.events);
        let mut properties = Properties::new(self.cluster.bootstrap_servers());
        for (key, value) in &self.properties {
            properties.set(*key, *value).unwrap();
        }
        Job::new(topology, properties)
            .state_dir(directory)
            .on_event(move |event| events.lock().unwrap().push(event.clone()))
    }

    pub(crate) fn run_until_latest(&mut self, topology: Topology) -> streams::Result<Summary> {
        let job = self.job(topology).until_latest();
        self.runtime.block_on(job.run())
    }

    pub(crate) fn start(&mut self, topology: Topology) -> JobHandle {
        let job = self.job(topology);
        self.runtime.block_on(job.start()).unwrap()
    }

    pub(crate) fn stop(&self, handle: JobHandle) -> Summary {
        handle.stop();
        self.runtime.block_on(handle.join()).unwrap()
    }

    /// Waits for a job that ends by an error.
    pub(crate) fn fail(&self, handle: JobHandle) -> String {
        let end = self.runtime.block_on(handle.join());
        end.unwrap_err().to_string()
    }

    pub(crate) fn inputs(&self) -> Vec<ReadRecord> {
        self.cluster.read_committed(&self.input)
    }

    pub(crate) fn outputs(&self) -> Vec<ReadRecord> {
        self.cluster.read_committed(&self.output)
    }

    pub(crate) fn count(&self, of: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| of(e)).count()
    }

    /// Writes `count` records that no earlier call has written.
    pub(crate) fn produce(&mut self, partitions: i32, count: usize) {
        let sender = Sender::new(self.cluster, &[]);
        for number in self.produced..self.produced + count {
            let partition = i32::try_from(number).unwrap() % partitions;
            sender.text(&self.input, partition, &number.to_string());
        }
        sender.flush();
        self.produced += count;
    }

    /// Writes `count` records of so many bytes, each another one, to partition 0.
    pub(crate) fn produce_long(&mut self, count: usize, bytes: usize) {
        let sender = Sender::new(self.cluster, &[]);
        for number in self.produced..self.produced + count {
            sender.text(&self.input, 0, &format!("{number:0bytes$}"));
        }
        sender.flush();
        self.produced += count;
    }

    /// Writes `count` records with so many bytes of headers, each with another value, to partition 0.
    pub(crate) fn produce_with_headers(&mut self, count: usize, bytes: usize) {
        let sender = Sender::new(self.cluster, &[]);
        let long = vec![b'h'; bytes];
        for number in self.produced..self.produced + count {
            let header = Header {
                key: "long",
                value: Some(&long),
            };
            let record = BaseRecord::<(), str>::to(&self.input).partition(0);
            let record = record.headers(OwnedHeaders::new().insert(header));
            sender.send(record.payload(&number.to_string()));
        }
        sender.flush();
        self.produced += count;
    }

    /// Waits until each of its partitions is assigned.
    pub(crate) fn wait_for_assignment(&self) {
        wait_until("it has its partitions", SOON, || {
            self.count(|e| matches!(e, Event::Assigned { .. })) > 0
        });
    }

    /// Commits an offset for the job's group, which must not run.
    pub(crate) fn commit(&self, partition: i32, offset: i64) {
        let config = self.cluster.config(&[("group.id", &self.application)]);
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.input, partition, Offset::Offset(offset))
            .unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    pub(crate) fn delete_records_before(&self, partition: i32, offset: i64) {
        self.cluster
            .delete_records_before(&self.input, partition, offset);
    }

    /// Deletes the input and creates it again.
    pub(crate) fn recreate_input(&self, partitions: i32) {
        let admin = self.cluster.admin();
        let options = AdminOptions::new();
        let deleted = admin.delete_topics(&[&self.input], &options);
        streams_tests::block_on(deleted).unwrap()[0]
            .as_ref()
            .unwrap();
        wait_until("the topic can be created again", SOON, || {
            self.cluster.create_topic(&self.input, partitions).is_ok()
        });
    }

    /// The transactional id that the job has told.
    pub(crate) fn transactional_id(&self) -> String {
        let events = self.events.lock().unwrap();
        let told = events.iter().find_map(|event| match event {
            Event::ProducerReady {
                transactional_id, ..
            } => transactional_id.clone(),
            _ => None,
        });
        told.unwrap()
    }
}
