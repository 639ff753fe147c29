//! The crash test: instances of a job are killed, frozen past their session and restarted while a producer writes, the
//! broker restarts in the middle, and then the oracle recounts.
//!
//! Each instance is a process with a state directory of its own, which it finds again when it comes back. What happens
//! to whom, and when, comes from the seed.

mod blows;
mod flights;
mod rows;
mod work;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::{CopyJob, Job, Random, Sender, TestCluster, ToldRestore};
use blows::Blows;
pub use rows::group_of;
pub use work::Work;

/// After this silence the group gives a member's partitions away; Apache Kafka accepts no less by default.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How far the producer may be ahead of its plan.
const AHEAD: Duration = Duration::from_millis(20);

/// What a crash test goes through.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the job does.
    pub work: Work,
    /// Stream threads of each process.
    pub threads: usize,
    /// How long the blows go on.
    pub duration: Duration,
    /// Decides who is hit when, and how.
    pub seed: u64,
    /// How many records the producer writes meanwhile.
    pub records: usize,
    /// Partitions of the input topic.
    pub partitions: i32,
    /// Processes of the job.
    pub instances: usize,
}

/// What a crash test went through.
#[derive(Debug, Default)]
pub struct Tally {
    /// Instances killed with `kill -9`.
    pub kills: usize,
    /// Instances stopped past their session timeout and continued.
    pub zombies: usize,
    /// Instances stopped in order and started again.
    pub restarts: usize,
    /// Restarts of the broker.
    pub broker_restarts: usize,
    /// Transactions that the instances aborted, and processed again, as their logs tell.
    pub recoveries: usize,
    /// Restores that had something to read, and the records that they read, as the logs tell.
    pub restores: Vec<u64>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally {
            kills,
            zombies,
            restarts,
            broker_restarts,
            recoveries,
            restores,
        } = self;
        write!(
            f,
            "{kills} kills, {zombies} zombies, {restarts} restarts, {broker_restarts} restarts of the broker; "
        )?;
        write!(f, "{recoveries} recoveries of living instances; ")?;
        let (all, most) = (restores.iter().sum::<u64>(), restores.iter().max());
        write!(
            f,
            "{} restores of a store, {all} records read, {} at most in one",
            restores.len(),
            most.unwrap_or(&0)
        )
    }
}

/// Runs the plan with `program`, which takes its topics from `CRASH_INPUT` and `CRASH_OUTPUT` and its name from
/// `CRASH_APPLICATION_ID`, on `cluster`, of which a node is restarted once if it is the test's own.
///
/// # Panics
///
/// When the output isn't an exactly-once copy of the input, or an instance ends that wasn't told to.
pub fn run(cluster: &TestCluster, program: &Path, plan: &Plan) -> Tally {
    let scene = Scene::new(cluster, program, plan);
    println!(
        "crash test: {plan:?}, logs in {}",
        scene.job.directory().display()
    );
    // Asked before the blows begin: while another test restarts the cluster, the answer waits.
    let restarts = cluster.is_own();
    let mut blows = Blows::new(&scene, plan);
    std::thread::scope(|scope| {
        scope.spawn(|| scene.produce(plan));
        if restarts {
            scope.spawn(|| {
                std::thread::sleep(plan.duration / 2);
                println!("restarting the broker");
                cluster.restart();
                println!("the broker is back");
            });
        }
        blows.deal(plan.duration);
    });
    let mut tally = blows.recover();
    tally.broker_restarts = usize::from(restarts);
    tally.recoveries = scene.recoveries();
    tally.restores = scene.restores().iter().map(|told| told.records).collect();
    println!("crash test: {tally}");
    scene.judge(plan);
    tally
}

/// The job, and what the producer and the judge need to know of it.
struct Scene<'a> {
    cluster: &'a TestCluster,
    job: CopyJob<'a>,
    partitions: i32,
    work: Work,
    threads: String,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a TestCluster, program: &'a Path, plan: &Plan) -> Scene<'a> {
        let job = plan.work.job(cluster, program, plan.partitions);
        Scene {
            cluster,
            job,
            partitions: plan.partitions,
            work: plan.work,
            threads: plan.threads.to_string(),
        }
    }

    fn start(&self, instance: usize) -> Job {
        let session = format!("session.timeout.ms={}", SESSION_TIMEOUT.as_millis());
        let thread = [
            "--checkpoint-interval",
            "200ms",
            "--stream-threads",
            &self.threads,
        ];
        // Shorter than a zombie's sleep: some transactions are timed out by the broker meanwhile.
        let transaction = ["--transaction-timeout", "5s"];
        let group = [
            "--property",
            &session,
            "--property",
            "heartbeat.interval.ms=500",
        ];
        self.job.start(
            instance,
            &[thread.as_slice(), &transaction, &group].concat(),
        )
    }

    /// Writes the records, spread over the duration, and each once although the broker restarts.
    fn produce(&self, plan: &Plan) {
        let sender = Sender::new(self.cluster, &[("enable.idempotence", "true")]);
        let start = Instant::now();
        let mut random = Random::new(plan.seed);
        for number in 0..plan.records {
            let partition = i32::try_from(number).unwrap_or(0) % plan.partitions;
            self.work
                .send(&sender, &self.job.input, partition, number, &mut random);
            let due = plan.duration.mul_f64(number as f64 / plan.records as f64);
            if let Some(early) = due
                .checked_sub(start.elapsed())
                .filter(|early| *early > AHEAD)
            {
                std::thread::sleep(early);
            }
        }
        sender.flush();
    }

    fn logs(&self) -> impl Iterator<Item = String> {
        let files = std::fs::read_dir(self.job.directory()).expect("the instances' logs");
        files
            .flatten()
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
    }

    fn recoveries(&self) -> usize {
        let recoveries = |log: String| {
            log.matches("processing goes on from the committed offsets")
                .count()
        };
        self.logs().map(recoveries).sum()
    }

    fn restores(&self) -> Vec<ToldRestore> {
        self.logs()
            .flat_map(|log| ToldRestore::of_log(&log))
            .collect()
    }

    /// Whether all that was read has come out: what goes through a repartition topic comes later than the inputs' offsets.
    fn is_worked_off(&self) -> bool {
        self.work.is_worked_off(self.cluster, &self.job)
    }

    fn judge(&self, plan: &Plan) {
        let inputs = self.cluster.read_committed(&self.job.input);
        let outputs = self.cluster.read_committed(&self.job.output);
        assert_eq!(inputs.len(), plan.records, "records in the input");
        println!(
            "crash test: {} records in, {} out",
            inputs.len(),
            outputs.len()
        );
        self.work.judge(self.cluster, &self.job);
        let mut changelogs = BTreeMap::new();
        for restore in self.restores() {
            let topic = restore.topic().to_owned();
            let records = changelogs
                .entry(topic)
                .or_insert_with_key(|topic| self.cluster.read_committed(topic));
            restore.reads_no_more_than_it_lacks(records);
        }
    }
}
