//! Exactly-once under blows: the short form of the crash test. The long form is the binary `crash-test`.

use std::path::Path;
use std::time::Duration;

use streams_tests::TestCluster;
use streams_tests::crash::{Plan, Work, run};

#[test]
fn each_word_is_counted_once_whatever_dies() {
    let plan = Plan {
        work: Work::CountWords,
        threads: 2,
        duration: Duration::from_secs(25),
        seed: 2,
        records: 10_000,
        partitions: 6,
        instances: 3,
    };
    // A cluster of its own, since the broker is restarted.
    let cluster = TestCluster::start();
    let tally = run(&cluster, Path::new(env!("CARGO_BIN_EXE_count-job")), &plan);
    assert!(
        tally.kills > 0 && tally.zombies > 0 && tally.restarts > 0 && !tally.restores.is_empty(),
        "{tally}"
    );
}

#[test]
fn each_flight_is_told_once_whatever_dies() {
    let plan = Plan {
        work: Work::FlightDelays,
        threads: 2,
        duration: Duration::from_secs(25),
        seed: 3,
        records: 10_000,
        partitions: 4,
        instances: 3,
    };
    // A cluster of its own, since the broker is restarted, and the job names its topics.
    let cluster = TestCluster::start();
    let program = Path::new(env!("CARGO_BIN_EXE_flight-delays"));
    let tally = run(&cluster, program, &plan);
    assert!(
        tally.kills > 0 && tally.zombies > 0 && tally.restarts > 0 && !tally.restores.is_empty(),
        "{tally}"
    );
}

#[test]
fn each_record_is_copied_once_whatever_dies() {
    let plan = Plan {
        work: Work::Copy,
        threads: 1,
        duration: Duration::from_secs(25),
        seed: 1,
        records: 20_000,
        partitions: 6,
        instances: 3,
    };
    // A cluster of its own, since the broker is restarted.
    let cluster = TestCluster::start();
    let tally = run(&cluster, Path::new(env!("CARGO_BIN_EXE_crash-job")), &plan);
    assert!(
        tally.kills > 0 && tally.zombies > 0 && tally.restarts > 0,
        "{tally}"
    );
}
