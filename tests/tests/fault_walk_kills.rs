//! A process that dies at each step of a checkpoint, one after the other, and comes back.
//!
//! What a dead process has done is what the brokers have got from it. So the steps are its requests: it dies when one
//! has had no effect (the connection is cut before it), and when it had its effect but the process has not heard of it
//! (the connection is cut after it). After `EndTxn` that is a checkpoint which is committed but was not reported.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use streams_broker::{ApiKey, EmbeddedKafka, Fault, Injected, SeenRequest};
use streams_tests::{
    CopyJob, Counts, Isolation, Job, Oracle, Sender, TestCluster, eventually, wait_until,
};

const SOON: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 2;
/// Cases side by side: they mostly wait.
const WORKERS: usize = 8;

/// The requests of a checkpoint, in their order.
const STEPS: [ApiKey; 5] = [
    ApiKey::AddPartitionsToTxn,
    ApiKey::Produce,
    ApiKey::AddOffsetsToTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::EndTxn,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Before,
    After,
}

/// A death: in the first checkpoint of the job's life or in the second, before or after a step of it.
#[derive(Clone, Copy, Debug)]
struct Death {
    checkpoint: usize,
    step: ApiKey,
    when: When,
}

fn deaths() -> Vec<Death> {
    let mut deaths = Vec::new();
    for checkpoint in [1, 2] {
        for step in STEPS {
            for when in [When::Before, When::After] {
                deaths.push(Death {
                    checkpoint,
                    step,
                    when,
                });
            }
        }
    }
    deaths
}

/// What is committed of all partitions; of one whose transaction is undecided, nothing.
fn sum(committed: &[Option<i64>]) -> i64 {
    committed.iter().flatten().sum()
}

/// What the process's producer calls itself.
const VICTIM: &str = "victim-0-producer";

fn start_victim(job: &CopyJob<'_>) -> Job {
    job.start(
        0,
        &[
            "--checkpoint-interval",
            "200ms",
            // It does not come back to the broker before it dies.
            "--property",
            "reconnect.backoff.ms=30000",
            "--property",
            "reconnect.backoff.max.ms=30000",
            "--property",
            "client.id=victim",
        ],
    )
}

fn die_and_come_back(death: Death) {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let program = Path::new(env!("CARGO_BIN_EXE_crash-job"));
    let job = CopyJob::new(&cluster, program, PARTITIONS);
    let count = 20;
    let ends = |each: i64| vec![Some(each); 2];
    let committed = || cluster.committed(&job.application_id, &job.input, PARTITIONS);

    let start = || start_victim(&job);
    let mut produced = 0;
    let mut process = None;
    if death.checkpoint == 2 {
        process = Some(start());
        cluster.produce_numbered(&job.input, PARTITIONS, count);
        produced = count;
        wait_until("the first checkpoint is taken", SOON, || {
            committed() == ends(10)
        });
    }
    let before = committed();
    let injected = kafka.inject(
        match death.when {
            When::Before => Fault::cut_before(death.step),
            When::After => Fault::cut_after(death.step),
        }
        .nth(1)
        .client_id(VICTIM),
    );
    let sender = Sender::new(&cluster, &[]);
    for number in produced..produced + count {
        let partition = i32::try_from(number).unwrap() % PARTITIONS;
        sender.text(&job.input, partition, &format!("more:{number}"));
    }
    sender.flush();
    let process = process.unwrap_or_else(start);
    assert!(injected.wait_until_struck(1, SOON), "{death:?}");
    process.kill();

    // It died where it was to die: only an ended transaction has committed anything. How much is its own matter: on a
    // busy machine a checkpoint may come before all of the input has. And a request that has struck is carried out a
    // moment later.
    let has_committed = || sum(&committed()) > sum(&before);
    if death.step == ApiKey::EndTxn && death.when == When::After {
        wait_until("what was decided is committed", SOON, has_committed);
    } else {
        assert!(!has_committed(), "{death:?}");
    }
    kafka.clear_faults();
    let done = i64::try_from(produced + count).unwrap() / i64::from(PARTITIONS);
    let mut next = job.start(0, &["--until-latest"]);
    next.succeed(SOON);
    Oracle::exactly_once(&job.inputs(), &job.outputs());
    assert_eq!(committed(), ends(done), "{death:?}");
    let open = cluster.end_offsets(&job.output, Isolation::Committed)
        != cluster.end_offsets(&job.output, Isolation::Uncommitted);
    assert!(!open, "{death:?}: a transaction stayed open");
}

/// A job that counts words, on a broker of its own: with a repartition topic, stores on disk, and their changelog.
struct Counting<'a> {
    cluster: &'a TestCluster,
    job: CopyJob<'a>,
    written: usize,
}

impl<'a> Counting<'a> {
    fn on(cluster: &'a TestCluster) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
        Self {
            cluster,
            job: CopyJob::new(cluster, program, PARTITIONS),
            written: 0,
        }
    }

    /// Writes more, until the condition holds.
    fn write_until(&mut self, what: &str, condition: impl Fn() -> bool) {
        let sender = Sender::new(self.cluster, &[]);
        wait_until(what, SOON, || {
            for number in self.written..self.written + 6 {
                let partition = i32::try_from(number).unwrap() % PARTITIONS;
                let words = format!("w{} w{}", number % 3, number % 5);
                sender.text(&self.job.input, partition, &words);
            }
            sender.flush();
            self.written += 6;
            eventually(Duration::from_millis(300), &condition)
        });
    }

    /// Starts the process that is to die, and has it take checkpoints that have changed its stores.
    fn start_victim(&mut self, kafka: &EmbeddedKafka) -> Job {
        // With state a checkpoint asks for the ends of its changelogs.
        let ends = kafka.inject(Fault::observe(ApiKey::ListOffsets).client_id(VICTIM));
        let process = start_victim(&self.job);
        self.write_until("stores are changed", || !ends.seen().is_empty());
        process
    }

    /// The next process does what is left, and nothing is lost or doubled: neither in the output nor in what is kept.
    fn go_on_and_judge(&self) {
        self.job.start(0, &["--until-latest"]).succeed(SOON);
        let counts = Counts::of_words(&self.job.inputs());
        counts.are_told_by(&self.job.outputs());
        let changelog = format!("{}-counts-changelog", self.job.application_id);
        counts.are_kept_in(&self.cluster.read_committed(&changelog));
    }
}

/// The requests of its checkpoints, of each kind two, as a process sends them that nothing happens to.
fn requests_of_checkpoints() -> Vec<(ApiKey, u64)> {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut counting = Counting::on(&cluster);
    let process = counting.start_victim(&kafka);
    let seen = kafka.inject(Fault::observe(None).client_id(VICTIM));
    let ends = |seen: &Injected| {
        let of_ends = |r: &&SeenRequest| r.api == ApiKey::ListOffsets;
        seen.seen().iter().filter(of_ends).count()
    };
    counting.write_until("some checkpoints are taken", || ends(&seen) >= 3);
    process.kill();
    let beside = [
        ApiKey::ApiVersions,
        ApiKey::Metadata,
        ApiKey::FindCoordinator,
    ];
    let mut points: Vec<(ApiKey, u64)> = Vec::new();
    for request in seen.seen() {
        if beside.contains(&request.api) {
            continue;
        }
        let before = points.iter().filter(|(api, _)| *api == request.api).count();
        if before < 2 {
            points.push((request.api, before as u64 + 1));
        }
    }
    counting.go_on_and_judge();
    points
}

/// Dies at the request, and comes back.
fn die_counting(api: ApiKey, nth: u64, when: When) {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut counting = Counting::on(&cluster);
    let fault = match when {
        When::Before => Fault::cut_before(api),
        When::After => Fault::cut_after(api),
    };
    let process = counting.start_victim(&kafka);
    let injected = kafka.inject(fault.nth(nth).client_id(VICTIM));
    let what = format!("{api:?} {nth} is cut {when:?}");
    counting.write_until(&what, || !injected.struck().is_empty());
    process.kill();
    kafka.clear_faults();
    counting.go_on_and_judge();
}

#[test]
fn a_process_that_counts_dies_at_any_request_of_a_checkpoint_and_counts_on() {
    let points = requests_of_checkpoints();
    let kinds: Vec<ApiKey> = points.iter().map(|(api, _)| *api).collect();
    let steps = STEPS.iter().chain(&[ApiKey::ListOffsets]);
    assert!(steps.clone().all(|step| kinds.contains(step)), "{kinds:?}");
    let deaths = points
        .into_iter()
        .flat_map(|(api, nth)| [(api, nth, When::Before), (api, nth, When::After)]);
    let deaths: Vec<_> = deaths.collect();
    let total = deaths.len();
    let deaths = Mutex::new(deaths.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some((api, nth, when)) = deaths.lock().unwrap().next() else {
                        return;
                    };
                    die_counting(api, nth, when);
                }
            });
        }
    });
    println!("{total} deaths of a job that counts, at {kinds:?}");
}

#[test]
fn a_process_that_dies_at_any_step_of_a_checkpoint_loses_and_doubles_nothing() {
    let deaths = Mutex::new(deaths().into_iter());
    let died = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(death) = deaths.lock().unwrap().next() else {
                        return;
                    };
                    die_and_come_back(death);
                    *died.lock().unwrap() += 1;
                }
            });
        }
    });
    println!("{} deaths", died.lock().unwrap());
    assert_eq!(*died.lock().unwrap(), 20);
}
