//! A broker of its own, a job that copies on it, and the scenes of the job's life in which something goes wrong.

use crate::work::{INPUT, OUTPUT, PARTITIONS, REPARTITION, Work};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use streams::runtime::{Event, Job, Properties, Stopper, Summary};
use streams_broker::{ApiKey, EmbeddedKafka, Fault, SeenRequest};
use streams_tests::{Isolation, Sender, TestCluster, eventually};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Records that each step of a scene writes.
const RECORDS: usize = 20;
/// A run that takes longer hangs, which is a finding.
const DEADLINE: Duration = Duration::from_secs(45);
/// A request that is answered later than this has failed for the client; the least that librdkafka allows here.
pub(crate) const SOCKET_TIMEOUT: Duration = Duration::from_millis(1_100);

/// What the job does while the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scene {
    /// An instance starts and does what is there.
    StartUp,
    /// It has its partitions for a while, and asks whether all of the group's are somebody's.
    Deal,
    /// It does what comes, in one or more checkpoints.
    Checkpoint,
    /// A second instance joins, and both do what comes.
    Join,
    /// The second one leaves, and the first one has everything again.
    Leave,
    /// The last one ends in order, with a checkpoint to take.
    End,
    /// An instance has lost its state, and makes it again from the changelog.
    Restore,
}

/// How a run ended. What was promised holds in either case.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The job went on by itself.
    Recovered,
    /// The job ended with this error, and the next start did the rest.
    Ended(String),
}

/// A scene that was played, and kept its promises.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    /// What was sent in it.
    pub(crate) requests: Vec<SeenRequest>,
    /// Whether the fault came to its point.
    pub(crate) was_struck: bool,
}

/// What the instances tell.
#[derive(Default)]
struct Told {
    /// How many partitions each instance has.
    assigned: HashMap<&'static str, usize>,
}

struct Instance {
    stopper: Stopper,
    end: JoinHandle<streams::Result<Summary>>,
}

pub(crate) struct Stage {
    /// Dropped before its broker, which it would wait for.
    outputs: Outputs,
    work: Work,
    kafka: EmbeddedKafka,
    cluster: TestCluster,
    runtime: Handle,
    directory: TempDir,
    told: Arc<Mutex<Told>>,
    produced: usize,
    instances: Vec<Instance>,
    errors: Vec<String>,
    deadline: Instant,
}

/// A run that broke a promise, in words.
pub(crate) type Broken<T> = Result<T, String>;

impl Stage {
    pub(crate) fn new(work: Work, runtime: Handle) -> Stage {
        let kafka = EmbeddedKafka::builder()
            .topic(INPUT, PARTITIONS)
            .topic(OUTPUT, PARTITIONS)
            .setting("auto.create.topics.enable", "false")
            .setting("group.min.session.timeout.ms", "100")
            .start()
            .unwrap();
        Stage {
            work,
            cluster: TestCluster::on(&kafka),
            kafka,
            runtime,
            directory: tempfile::tempdir().unwrap(),
            told: Arc::default(),
            outputs: Outputs::default(),
            produced: 0,
            instances: Vec::new(),
            errors: Vec::new(),
            deadline: Instant::now() + DEADLINE,
        }
    }

    /// Plays the scene, with the fault in force from its beginning, and judges.
    pub(crate) fn play(&mut self, scene: Scene, fault: Option<Fault>) -> Broken<Played> {
        self.set(scene)?;
        let before = self.kafka.requests().len();
        let injected = fault.map(|fault| self.kafka.inject(fault));
        self.perform(scene)?;
        let mut requests = self.kafka.requests();
        self.stop_all()?;
        if scene == Scene::End {
            requests = self.kafka.requests();
        }
        requests.drain(..before);
        let outcome = match self.errors.first() {
            None => Outcome::Recovered,
            Some(error) => {
                let error = error.clone();
                self.finish()?;
                Outcome::Ended(error)
            }
        };
        let was_struck = injected
            .as_ref()
            .is_some_and(|fault| !fault.struck().is_empty());
        if let Some(fault) = injected {
            fault.end();
        }
        if self.work == Work::Count {
            // Counts go on from what the store has kept: if that is not what the changelog has, they go wrong.
            self.produce();
            self.finish()?;
        }
        self.work.judge(&self.cluster, self.produced)?;
        Ok(Played {
            outcome,
            requests,
            was_struck,
        })
    }

    /// What has to be there before the scene.
    fn set(&mut self, scene: Scene) -> Broken<()> {
        self.produce();
        match scene {
            Scene::StartUp => Ok(()),
            Scene::Deal | Scene::Checkpoint | Scene::Join => {
                self.start("a", Duration::from_millis(50));
                self.wait_for_outputs()
            }
            Scene::Leave => {
                self.start("a", Duration::from_millis(50));
                self.wait_for_outputs()?;
                self.start("b", Duration::from_millis(50));
                self.wait_for_partitions(&[("a", 1), ("b", 1)])
            }
            Scene::End => {
                // No checkpoint comes before the end.
                let interval = Duration::from_secs(19);
                self.start("a", interval);
                if self.work == Work::Count {
                    // What goes through the repartition topic is counted when it is committed.
                    self.wait_until_written(REPARTITION)?;
                    self.stop_all()?;
                    self.start("a", interval);
                }
                self.wait_until_written(OUTPUT)
            }
            Scene::Restore => {
                self.start("a", Duration::from_millis(50));
                self.wait_for_outputs()?;
                self.stop_all()?;
                std::fs::remove_dir_all(self.directory.path().join("a/stores")).unwrap();
                self.produce();
                Ok(())
            }
        }
    }

    fn perform(&mut self, scene: Scene) -> Broken<()> {
        match scene {
            Scene::StartUp | Scene::Restore => {
                self.start("a", Duration::from_millis(50));
            }
            Scene::Deal => {
                self.wait_for(ApiKey::DescribeGroups)?;
                self.produce();
            }
            Scene::Checkpoint => self.produce(),
            Scene::Join => {
                self.start("b", Duration::from_millis(50));
                self.wait_for_partitions(&[("a", 1), ("b", 1)])?;
                self.produce();
            }
            Scene::Leave => {
                self.produce();
                if let Some(b) = self.instances.get(1) {
                    b.stopper.stop();
                }
                self.wait_for_partitions(&[("a", 2)])?;
                self.produce();
            }
            Scene::End => return Ok(()),
        }
        self.wait_for_outputs()
    }

    fn produce(&mut self) {
        let sender = Sender::new(&self.cluster, &[("linger.ms", "0")]);
        for number in self.produced..self.produced + RECORDS {
            let partition = i32::try_from(number).unwrap() % PARTITIONS;
            sender.text(INPUT, partition, &number.to_string());
        }
        sender.flush();
        self.produced += RECORDS;
    }

    fn job(&self, name: &'static str, interval: Duration) -> Job {
        let told = Arc::clone(&self.told);
        Job::new(self.work.topology(interval), self.properties(name))
            .state_dir(self.directory.path().join(name))
            .on_event(move |event| told.lock().unwrap().note(name, event))
    }

    /// Small limits, so that what is late is late soon.
    fn properties(&self, name: &str) -> Properties {
        let timeout = SOCKET_TIMEOUT.as_millis().to_string();
        let mut properties = Properties::new(self.kafka.bootstrap_servers());
        for (key, value) in [
            ("client.id", name),
            ("socket.timeout.ms", &timeout),
            ("fetch.wait.max.ms", "50"),
            ("fetch.error.backoff.ms", "20"),
            ("linger.ms", "1"),
            ("retry.backoff.ms", "10"),
            ("retry.backoff.max.ms", "100"),
            ("reconnect.backoff.ms", "10"),
            ("reconnect.backoff.max.ms", "100"),
            ("topic.metadata.refresh.fast.interval.ms", "20"),
            ("session.timeout.ms", "1500"),
            ("heartbeat.interval.ms", "100"),
        ] {
            properties.set(key, value).unwrap();
        }
        properties
    }

    fn start(&mut self, name: &'static str, interval: Duration) {
        let job = self.job(name, interval);
        match self.runtime.block_on(job.start()) {
            Ok(handle) => self.instances.push(Instance {
                stopper: handle.stopper(),
                end: self.runtime.spawn(handle.join()),
            }),
            Err(error) => self.errors.push(error.to_string()),
        }
    }

    /// Waits for what the scene is about. An instance that ends with an error ends the wait: the scene is over.
    fn wait(&mut self, what: &str, holds: impl Fn(&Stage) -> bool) -> Broken<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let done = eventually(left, || holds(self) || self.collect_errors());
        if done {
            Ok(())
        } else {
            let told = self.told.lock().unwrap();
            Err(format!(
                "it hangs: {what}: not within {DEADLINE:?}; {} outputs, assigned {:?}",
                self.outputs.count(&self.cluster),
                told.assigned
            ))
        }
    }

    fn wait_for_outputs(&mut self) -> Broken<()> {
        self.wait("all has come out and is committed", |stage| {
            stage.outputs.count(&stage.cluster) >= stage.produced
        })
    }

    /// Waits until an open transaction has written as much as the job has to.
    fn wait_until_written(&mut self, topic: &'static str) -> Broken<()> {
        self.wait(&format!("{topic} is written"), |stage| {
            let ends = stage.cluster.end_offsets(topic, Isolation::Uncommitted);
            usize::try_from(ends.iter().sum::<i64>()).unwrap() >= stage.produced
        })
    }

    /// Waits until somebody has asked for that.
    fn wait_for(&mut self, api: ApiKey) -> Broken<()> {
        self.wait(&format!("{api:?} is sent"), |stage| {
            stage.kafka.requests().iter().any(|r| r.api == api)
        })
    }

    /// Waits until each of these instances has that many partitions of each topic.
    fn wait_for_partitions(&mut self, wanted: &[(&'static str, usize)]) -> Broken<()> {
        let topics = self.work.source_topics();
        self.wait(&format!("partitions are assigned as {wanted:?}"), |stage| {
            let told = stage.told.lock().unwrap();
            wanted
                .iter()
                .all(|(name, each)| told.assigned.get(name) == Some(&(each * topics)))
        })
    }

    /// Takes the errors of instances that have ended, and says whether there are any, ever.
    fn collect_errors(&mut self) -> bool {
        let (ended, running) = std::mem::take(&mut self.instances)
            .into_iter()
            .partition(|i: &Instance| i.end.is_finished());
        self.instances = running;
        for instance in ended {
            if let Err(error) = self.runtime.block_on(instance.end).unwrap() {
                self.errors.push(error.to_string());
            }
        }
        !self.errors.is_empty()
    }

    fn stop_all(&mut self) -> Broken<()> {
        for instance in &self.instances {
            instance.stopper.stop();
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let ended = eventually(left, || {
            self.collect_errors();
            self.instances.is_empty()
        });
        if ended {
            Ok(())
        } else {
            Err("it hangs: the job does not end when it is stopped".to_owned())
        }
    }

    /// What is left is done by the next start.
    fn finish(&mut self) -> Broken<()> {
        self.deadline = Instant::now() + DEADLINE;
        let job = self.job("a", Duration::from_millis(50)).until_latest();
        let run = self.runtime.spawn(job.run());
        let left = self.deadline.saturating_duration_since(Instant::now());
        if !eventually(left, || run.is_finished()) {
            return Err(format!(
                "after `{}` the next start hangs",
                self.errors.join("`, `")
            ));
        }
        match self.runtime.block_on(run).unwrap() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "after `{}` the next start fails too: {error}",
                self.errors.join("`, `")
            )),
        }
    }
}

/// The committed outputs, as a consumer counts them that reads on and on.
#[derive(Default)]
struct Outputs {
    consumer: OnceCell<BaseConsumer>,
    count: Cell<usize>,
}

impl Outputs {
    fn count(&self, cluster: &TestCluster) -> usize {
        let consumer = self.consumer.get_or_init(|| {
            let config = [
                ("group.id", "outputs"),
                ("isolation.level", "read_committed"),
                ("fetch.wait.max.ms", "50"),
            ];
            let consumer: BaseConsumer = cluster.config(&config).create().unwrap();
            let mut assignment = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                assignment
                    .add_partition_offset(OUTPUT, partition, Offset::Beginning)
                    .unwrap();
            }
            consumer.assign(&assignment).unwrap();
            consumer
        });
        // Errors pass: the broker is there all the time.
        while let Some(message) = consumer.poll(Duration::ZERO) {
            self.count
                .set(self.count.get() + usize::from(message.is_ok()));
        }
        self.count.get()
    }
}

impl Told {
    fn note(&mut self, name: &'static str, event: &Event) {
        match event {
            Event::Assigned { partitions, .. } => {
                *self.assigned.entry(name).or_default() += partitions.len();
            }
            Event::Revoked { partitions, .. } | Event::Lost { partitions, .. } => {
                let assigned = self.assigned.entry(name).or_default();
                *assigned = assigned.saturating_sub(partitions.len());
            }
            _ => {}
        }
    }
}
