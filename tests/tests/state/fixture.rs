//! A job in this process that counts by key, with its topics, its events and its state directory.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::producer::BaseRecord;
use streams::prelude::*;
use streams::runtime::{Event, Job, JobHandle, Properties, Restore, RestoreStatus, Summary};
use streams::{ByType, JobConfig, StateBackend};
use streams_broker::EmbeddedKafka;
use streams_tests::{Counts, ReadRecord, Sender, TestCluster, block_on, wait_until};
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A broker of the test's own, and the clients for it; both live on until the process ends.
pub(crate) fn broker() -> (&'static EmbeddedKafka, &'static TestCluster) {
    let builder = EmbeddedKafka::builder().setting("auto.create.topics.enable", "false");
    let kafka: &EmbeddedKafka = Box::leak(Box::new(builder.start().unwrap()));
    (kafka, Box::leak(Box::new(TestCluster::on(kafka))))
}

pub(crate) struct Counting {
    pub(crate) cluster: &'static TestCluster,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) application: String,
    pub(crate) directory: TempDir,
    pub(crate) backend: StateBackend,
    /// Of the client.
    pub(crate) properties: Vec<(&'static str, &'static str)>,
    partitions: i32,
    produced: usize,
    events: Arc<Mutex<Vec<Event>>>,
    runtime: tokio::runtime::Runtime,
}

impl Counting {
    pub(crate) fn new(partitions: i32) -> Self {
        Self::on(TestCluster::shared(), partitions)
    }

    pub(crate) fn on(cluster: &'static TestCluster, partitions: i32) -> Self {
        Self {
            cluster,
            input: cluster.topic("in", partitions),
            output: cluster.topic("out", partitions),
            application: cluster.unique("count"),
            directory: tempfile::tempdir().unwrap(),
            backend: StateBackend::Disk,
            properties: Vec::new(),
            partitions,
            produced: 0,
            events: Arc::default(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    pub(crate) fn changelog(&self) -> String {
        format!("{}-counts-changelog", self.application)
    }

    /// Gives a topic this `cleanup.policy`.
    pub(crate) fn set_policy(&self, topic: &str, policy: &str) {
        let policy =
            AlterConfig::new(ResourceSpecifier::Topic(topic)).set("cleanup.policy", policy);
        let admin = self.cluster.admin();
        let altered = admin.alter_configs([&policy], &AdminOptions::new());
        for resource in block_on(altered).unwrap() {
            resource.unwrap();
        }
    }

    /// Counts the input by key.
    pub(crate) fn topology(&self) -> Topology {
        self.topology_with(|_| {})
    }

    pub(crate) fn topology_with(&self, configure: impl FnOnce(&mut JobConfig)) -> Topology {
        let builder = TopologyBuilder::new(&self.application);
        builder.checkpoint_interval(Duration::from_millis(200));
        let input: KStream<str, str> = builder.source(&self.input, ByType, ByType);
        let counts = input.group_by_key().count().named("counts").to_stream();
        counts.to(&self.output);
        self.configured(&builder, configure)
    }

    pub(crate) fn configured(
        &self,
        builder: &TopologyBuilder,
        configure: impl FnOnce(&mut JobConfig),
    ) -> Topology {
        let topology = builder.build();
        let mut config = topology.config().clone();
        config.state_backend = self.backend;
        configure(&mut config);
        topology.with_config(config)
    }

    /// Writes `count` records of `keys` keys by turns, each to the partition that belongs to its key.
    pub(crate) fn produce(&mut self, count: usize, keys: usize) {
        let sender = Sender::new(self.cluster, &[("enable.idempotence", "true")]);
        for number in self.produced..self.produced + count {
            let key = format!("key-{}", number % keys);
            let value = number.to_string();
            sender.send(BaseRecord::to(&self.input).key(&key).payload(&value));
        }
        sender.flush();
        self.produced += count;
    }

    /// Writes `count` records of a key to a partition.
    pub(crate) fn produce_to(&mut self, partition: i32, key: &str, count: usize) {
        let sender = Sender::new(self.cluster, &[("enable.idempotence", "true")]);
        for number in self.produced..self.produced + count {
            let value = number.to_string();
            let record = BaseRecord::to(&self.input).partition(partition);
            sender.send(record.key(key).payload(&value));
        }
        sender.flush();
        self.produced += count;
    }

    /// Whether the output has this count of a key.
    pub(crate) fn is_told_of(&self, key: &str, count: i64) -> bool {
        let tells = |record: &ReadRecord| {
            let (told, value) = (record.key.as_deref(), record.value.as_deref());
            told == Some(key.as_bytes()) && value == Some(&count.to_be_bytes())
        };
        self.cluster.read_committed(&self.output).iter().any(tells)
    }

    pub(crate) fn wait_until_told_of(&self, key: &str, count: i64) {
        wait_until(&format!("{key} is told to be {count}"), SOON, || {
            self.is_told_of(key, count)
        });
    }

    pub(crate) fn job(&self, topology: Topology, directory: &Path) -> Job {
        let events = Arc::clone(&self.events);
        let mut properties = Properties::new(self.cluster.bootstrap_servers());
        // Partitions that are added are noticed soon.
        let refresh = "topic.metadata.refresh.interval.ms";
        properties.set(refresh, "1000").unwrap();
        for (name, value) in &self.properties {
            properties.set(*name, *value).unwrap();
        }
        Job::new(topology, properties)
            .state_dir(directory)
            .on_event(move |event| events.lock().unwrap().push(event.clone()))
    }

    pub(crate) fn run(&self, topology: Topology) -> streams::Result<Summary> {
        let job = self.job(topology, self.directory.path()).until_latest();
        self.runtime.block_on(job.run())
    }

    /// Runs until all that is there is counted.
    pub(crate) fn run_until_latest(&self) -> Summary {
        self.run(self.topology()).unwrap()
    }

    pub(crate) fn start(&self, topology: Topology) -> JobHandle {
        self.start_in(topology, self.directory.path())
    }

    pub(crate) fn start_in(&self, topology: Topology, directory: &Path) -> JobHandle {
        let job = self.job(topology, directory);
        self.runtime.block_on(job.start()).unwrap()
    }

    /// Drops a start that has got as far as `condition`, which may block.
    pub(crate) fn start_and_drop(
        &self,
        topology: Topology,
        condition: impl FnOnce() -> bool + Send + 'static,
    ) {
        let job = self.job(topology, self.directory.path());
        self.runtime.block_on(async {
            tokio::select! {
                started = job.start() => panic!("it has started: {:?}", started.map(|_| ())),
                reached = tokio::task::spawn_blocking(condition) => assert!(reached.unwrap()),
            }
        });
    }

    /// Starts the job; the error of one that cannot start.
    pub(crate) fn try_start(&self, topology: Topology) -> streams::Result<JobHandle> {
        let job = self.job(topology, self.directory.path());
        self.runtime.block_on(job.start())
    }

    pub(crate) fn start_until_latest(&self) -> JobHandle {
        let job = self.job(self.topology(), self.directory.path());
        let job = job.until_latest();
        self.runtime.block_on(job.start()).unwrap()
    }

    pub(crate) fn join(&self, handle: JobHandle) -> Summary {
        self.runtime.block_on(handle.join()).unwrap()
    }

    /// Waits for a job that ends by an error.
    pub(crate) fn fail(&self, handle: JobHandle) -> String {
        let end = self.runtime.block_on(handle.join());
        end.unwrap_err().to_string()
    }

    pub(crate) fn stop(&self, handle: JobHandle) -> Summary {
        handle.stop();
        self.join(handle)
    }

    /// Waits until a record of the output has this value.
    pub(crate) fn wait_until_told(&self, value: i64) {
        let told = |record: &ReadRecord| record.value.as_deref() == Some(&value.to_be_bytes());
        let tells = || self.cluster.read_committed(&self.output).iter().any(told);
        wait_until(&format!("{value} is told"), SOON, tells);
    }

    pub(crate) fn inputs(&self) -> Vec<ReadRecord> {
        self.cluster.read_committed(&self.input)
    }

    pub(crate) fn wait_until_counted(&self) {
        let ends = self
            .cluster
            .end_offsets(&self.input, streams_tests::Isolation::Committed);
        let ends: Vec<Option<i64>> = ends.into_iter().map(Some).collect();
        wait_until("all is counted", SOON, || {
            self.cluster
                .committed(&self.application, &self.input, self.partitions)
                == ends
        });
    }

    /// Recounts outputs and changelog from the inputs.
    #[track_caller]
    pub(crate) fn judge(&self) -> Counts {
        let counts = self.judge_outputs();
        counts.are_kept_in(&self.cluster.read_committed(&self.changelog()));
        counts
    }

    /// Recounts the outputs alone, from the inputs.
    #[track_caller]
    pub(crate) fn judge_outputs(&self) -> Counts {
        let counts = Counts::of(&self.inputs());
        counts.are_told_by(&self.cluster.read_committed(&self.output));
        counts
    }

    /// How many records the changelog has.
    pub(crate) fn changelog_records(&self) -> usize {
        self.cluster.read_committed(&self.changelog()).len()
    }

    /// The events since this was last asked.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    /// The restores since this was last asked, each as it ended.
    pub(crate) fn take_restores(&self) -> Vec<Restore> {
        let events = self.take_events();
        let restore = |event| match event {
            Event::Restore(restore) if restore.status == RestoreStatus::Completed => Some(restore),
            _ => None,
        };
        events.into_iter().filter_map(restore).collect()
    }

    /// How many changelog records were read since this was last asked.
    pub(crate) fn take_restored(&self) -> u64 {
        self.take_restores().iter().map(|r| r.records).sum()
    }

    pub(crate) fn count(&self, of: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| of(e)).count()
    }
}

pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_directory(&entry.path(), &target),
            false => std::fs::copy(entry.path(), target).map(|_| ()).unwrap(),
        }
    }
}
