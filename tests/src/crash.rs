//! The crash test: instances of a job are killed, frozen past their session and restarted while a producer writes, the
//! broker restarts in the middle, and then the oracle recounts.
//!
//! Each instance is a process with a state directory of its own, which it finds again when it comes back. What happens
//! to whom, and when, comes from the seed.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::{
    CopyJob, Counts, Isolation, Job, Oracle, Random, Sender, TestCluster, ToldRestore, wait_until,
};

/// After this silence the group gives a member's partitions away; Apache Kafka accepts no less by default.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long an instance that was asked to end may take; the broker may be away meanwhile.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// How long the job may take to work off what is left when the blows have stopped.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(120);
/// How often the instances are looked at.
const TICK: Duration = Duration::from_millis(20);

/// What the job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It copies records, as the binary `crash-job`.
    Copy,
    /// It counts the words of records, as the binary `count-job`: with state, a changelog, and a repartition topic.
    CountWords,
}

impl Work {
    /// The record of that number.
    fn text(self, partition: i32, number: usize, random: &mut Random) -> String {
        match self {
            Work::Copy => format!("{partition}:{number}"),
            Work::CountWords => {
                let mut word = || format!("w{}", random.between(0, 499));
                [word(), word(), word()].join(" ")
            }
        }
    }
}

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
/// `CRASH_APPLICATION_ID`, on `cluster`, whose broker is restarted once if it is the test's own.
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
    let mut blows = Blows::new(&scene, plan);
    std::thread::scope(|scope| {
        scope.spawn(|| scene.produce(plan));
        if cluster.is_own() {
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
    tally.broker_restarts = usize::from(cluster.is_own());
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
        let job = CopyJob::new(cluster, program, plan.partitions);
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
            let text = self.work.text(partition, number, &mut random);
            sender.text(&self.job.input, partition, &text);
            let due = plan.duration.mul_f64(number as f64 / plan.records as f64);
            if let Some(early) = due
                .checked_sub(start.elapsed())
                .filter(|early| *early > TICK)
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
        match self.work {
            Work::Copy => true,
            Work::CountWords => {
                let expected = Counts::of_words(&self.cluster.read_committed(&self.job.input));
                let outputs = self.cluster.read_committed(&self.job.output);
                outputs.len() >= expected.updates()
            }
        }
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
        match self.work {
            Work::Copy => Oracle::exactly_once(&inputs, &outputs),
            Work::CountWords => {
                let changelog = format!("{}-counts-changelog", self.job.application_id);
                let counts = Counts::of_words(&inputs);
                counts.are_told_by(&outputs);
                let changelog = self.cluster.read_committed(&changelog);
                counts.are_kept_in(&changelog);
                for restore in self.restores() {
                    restore.reads_no_more_than_it_lacks(&changelog);
                }
            }
        }
    }
}

/// What is done to an instance.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Kill,
    Freeze,
    Restart,
}

/// Where an instance is between blows.
enum State {
    /// Until the next blow.
    Running(Job, Instant),
    /// Stopped by SIGSTOP until then.
    Frozen(Job, Instant),
    /// Asked to end; has to have ended by then.
    Ending(Job, Instant),
    /// Not there until then.
    Away(Instant),
}

/// The instances and what happens to them.
struct Blows<'a> {
    scene: &'a Scene<'a>,
    random: Random,
    start: Instant,
    /// Each kind of blow falls at least once, whatever the seed.
    first: Vec<Blow>,
    states: Vec<Option<State>>,
    tally: Tally,
}

impl<'a> Blows<'a> {
    fn new(scene: &'a Scene<'a>, plan: &Plan) -> Blows<'a> {
        let mut blows = Blows {
            scene,
            random: Random::new(plan.seed),
            start: Instant::now(),
            first: vec![Blow::Restart, Blow::Freeze, Blow::Kill],
            states: Vec::new(),
            tally: Tally::default(),
        };
        for instance in 0..plan.instances {
            let state = State::Running(scene.start(instance), blows.in_ms(2_000, 5_000));
            blows.states.push(Some(state));
        }
        blows
    }

    fn in_ms(&mut self, low: u64, high: u64) -> Instant {
        Instant::now() + Duration::from_millis(self.random.between(low, high))
    }

    fn say(&self, instance: usize, what: &str) {
        println!(
            "{:6.1} s: instance {instance} {what}",
            self.start.elapsed().as_secs_f64()
        );
    }

    /// Deals blows for that long.
    fn deal(&mut self, duration: Duration) {
        while self.start.elapsed() < duration {
            self.each(Blows::step);
            std::thread::sleep(TICK);
        }
    }

    /// Lets each instance run again, waits until the job has done all its work, and ends it in order.
    fn recover(mut self) -> Tally {
        wait_until("each instance runs", STOP_DEADLINE, || {
            self.each(|blows, instance, state| match state {
                running @ State::Running(..) => running,
                other => blows.step(instance, other),
            });
            self.states
                .iter()
                .all(|state| matches!(state, Some(State::Running(..))))
        });
        let Scene {
            cluster,
            job,
            partitions,
            ..
        } = self.scene;
        let ends: Vec<_> = cluster
            .end_offsets(&job.input, Isolation::Committed)
            .into_iter()
            .map(Some)
            .collect();
        let done = crate::eventually(CATCH_UP_DEADLINE, || {
            self.each(|blows, instance, state| blows.still_there(instance, state));
            cluster.committed(&job.application_id, &job.input, *partitions) == ends
        });
        assert!(
            done,
            "committed {:?} of {ends:?}",
            cluster.committed(&job.application_id, &job.input, *partitions)
        );
        let scene = self.scene;
        wait_until("all has come out", CATCH_UP_DEADLINE, || {
            self.each(|blows, instance, state| blows.still_there(instance, state));
            scene.is_worked_off()
        });
        for state in self.states.into_iter().flatten() {
            if let State::Running(mut job, _) = state {
                job.terminate();
                job.succeed(STOP_DEADLINE);
            }
        }
        self.tally
    }

    fn each(&mut self, mut change: impl FnMut(&mut Self, usize, State) -> State) {
        for instance in 0..self.states.len() {
            let state = self.states.get_mut(instance).and_then(Option::take);
            let state = state.map(|state| change(self, instance, state));
            if let Some(place) = self.states.get_mut(instance) {
                *place = state;
            }
        }
    }

    /// What is due for the instance.
    fn step(&mut self, instance: usize, state: State) -> State {
        match self.still_there(instance, state) {
            State::Running(job, until) if due(until) => self.strike(instance, job),
            State::Frozen(mut job, until) if due(until) => {
                job.thaw();
                self.say(instance, "is continued");
                State::Running(job, self.in_ms(3_000, 8_000))
            }
            State::Ending(mut job, until) => match job.status() {
                None if due(until) => {
                    panic!("instance {instance} did not end:\n{}", job.log_tail())
                }
                None => State::Ending(job, until),
                Some(status) => {
                    // Who is asked to end before it runs has nothing to commit, and who meets no broker cannot commit.
                    let log = job.log_tail();
                    let in_vain = [
                        "without a last checkpoint",
                        "starting the transactional producer",
                    ];
                    let in_vain = in_vain.iter().any(|error| log.contains(error));
                    assert!(
                        status.success() || job.is_starting() || in_vain,
                        "instance {instance} ended with {status}:\n{}",
                        job.log_tail()
                    );
                    State::Away(self.in_ms(0, 1_000))
                }
            },
            State::Away(until) if due(until) => {
                self.say(instance, "is started");
                State::Running(self.scene.start(instance), self.in_ms(2_000, 8_000))
            }
            other => other,
        }
    }

    fn strike(&mut self, instance: usize, mut job: Job) -> State {
        let random = [Blow::Kill, Blow::Freeze, Blow::Restart, Blow::Kill];
        let choice = usize::try_from(self.random.between(0, 3)).unwrap_or(0);
        match self
            .first
            .pop()
            .or(random.get(choice).copied())
            .unwrap_or(Blow::Kill)
        {
            Blow::Kill => {
                self.say(instance, "is killed");
                self.tally.kills += 1;
                job.kill();
                State::Away(self.in_ms(100, 2_000))
            }
            Blow::Freeze => {
                self.say(instance, "is frozen");
                self.tally.zombies += 1;
                job.freeze();
                let session = u64::try_from(SESSION_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
                State::Frozen(job, self.in_ms(session + 1_000, session + 4_000))
            }
            Blow::Restart => {
                self.say(instance, "is stopped in order");
                self.tally.restarts += 1;
                job.terminate();
                State::Ending(job, Instant::now() + STOP_DEADLINE)
            }
        }
    }

    /// A running instance has no reason to end by itself: not a zombie's awakening, nor a broker that restarts.
    fn still_there(&mut self, instance: usize, mut state: State) -> State {
        if let State::Running(job, _) | State::Frozen(job, _) = &mut state
            && let Some(status) = job.status()
        {
            panic!(
                "instance {instance} ended by itself with {status}:\n{}",
                job.log_tail()
            );
        }
        state
    }
}

fn due(until: Instant) -> bool {
    Instant::now() >= until
}
