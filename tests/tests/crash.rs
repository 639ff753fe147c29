//! Exactly-once under blows: the short form of the crash test. The long form is the binary `crash-test`.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use streams_tests::TestCluster;
use streams_tests::crash::{Plan, Work, run};

/// How long the blows go on: on Apache Kafka, whose restarts take their time, long enough for several.
fn duration() -> Duration {
    let seconds = if cluster().is_apache() { 120 } else { 25 };
    Duration::from_secs(seconds)
}

/// How many records are written meanwhile.
fn records() -> usize {
    usize::try_from(duration().as_secs()).unwrap_or_default() * 400
}

/// The cluster of these tests, which all of them restart.
fn cluster() -> &'static TestCluster {
    static CLUSTER: OnceLock<TestCluster> = OnceLock::new();
    CLUSTER.get_or_init(TestCluster::start_replicated)
}

#[test]
fn each_word_is_counted_once_whatever_dies() {
    let plan = Plan {
        work: Work::CountWords,
        threads: 2,
        duration: duration(),
        seed: 2,
        records: records(),
        partitions: 6,
        instances: 3,
    };
    let tally = run(cluster(), Path::new(env!("CARGO_BIN_EXE_count-job")), &plan);
    assert!(
        tally.kills > 0 && tally.zombies > 0 && tally.restarts > 0 && !tally.restores.is_empty(),
        "{tally}"
    );
}

#[test]
fn each_row_is_added_once_whatever_dies() {
    let plan = Plan {
        work: Work::AddRows,
        threads: 2,
        duration: duration(),
        seed: 4,
        records: records(),
        partitions: 6,
        instances: 3,
    };
    let tally = run(cluster(), Path::new(env!("CARGO_BIN_EXE_rows-job")), &plan);
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
        duration: duration(),
        seed: 3,
        records: records(),
        partitions: 4,
        instances: 3,
    };
    let program = Path::new(env!("CARGO_BIN_EXE_flight-delays"));
    let tally = run(cluster(), program, &plan);
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
        duration: duration(),
        seed: 1,
        records: 2 * records(),
        partitions: 6,
        instances: 3,
    };
    let tally = run(cluster(), Path::new(env!("CARGO_BIN_EXE_crash-job")), &plan);
    assert!(
        tally.kills > 0 && tally.zombies > 0 && tally.restarts > 0,
        "{tally}"
    );
}
