//! A process that dies at each step of a checkpoint, one after the other, and comes back.
//!
//! What a dead process has done is what the brokers have got from it. So the steps are its requests: it dies when one
//! has had no effect (the connection is cut before it), and when it had its effect but the process has not heard of it
//! (the connection is cut after it). After `EndTxn` that is a checkpoint which is committed but was not reported.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use streams_broker::{ApiKey, EmbeddedKafka, Fault};
use streams_tests::{CopyJob, Isolation, Oracle, TestCluster, wait_until};

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

fn die_and_come_back(death: Death) {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let program = Path::new(env!("CARGO_BIN_EXE_crash-job"));
    let job = CopyJob::new(&cluster, program, PARTITIONS);
    let count = 20;
    let ends = |each: i64| vec![Some(each); 2];
    let committed = || cluster.committed(&job.application_id, &job.input, PARTITIONS);

    let start = || {
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
    };
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
        .client_id("victim-0-producer"),
    );
    let sender = streams_tests::Sender::new(&cluster, &[]);
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
