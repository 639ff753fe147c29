//! The record cache: many updates of a row become one, and none is lost with the process that held it.

use std::path::Path;
use std::time::Duration;

use streams_tests::{CopyJob, Counts, TestCluster};

use crate::fail_points::{ARGUMENTS, die_at, go_on, produce};
use crate::fixture::Counting;

/// Room for all rows, in one checkpoint at the end.
fn run_cached(job: &Counting, bytes: usize) {
    let topology = job.topology_with(|config| {
        config.checkpoint_interval = Some(Duration::from_secs(30));
        config.statestore_cache_max_bytes = bytes;
    });
    job.run(topology).unwrap();
}

fn outputs(job: &Counting) -> usize {
    job.cluster.read_committed(&job.output).len()
}

#[test]
fn the_updates_of_a_key_between_two_checkpoints_are_one_record() {
    let mut job = Counting::new(2);
    for round in 1..=2 {
        job.produce(1_000, 10);
        run_cached(&job, 10 << 20);
        assert_eq!(outputs(&job), 10 * round);
        let counts = Counts::of(&job.inputs());
        counts.are_reached_by(&job.cluster.read_committed(&job.output));
        counts.are_kept_in(&job.cluster.read_committed(&job.changelog()));
    }
}

#[test]
fn a_full_cache_sends_updates_on_before_the_checkpoint() {
    let mut job = Counting::new(1);
    // By turns: each key comes again when it has left the cache, which has room for a few.
    job.produce(2_000, 100);
    run_cached(&job, 1_024);
    job.judge();
    assert_eq!(job.changelog_records(), 100);
}

/// Dies at the point in a checkpoint, and goes on.
fn survives(point: &str, passes: usize) {
    let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
    let job = CopyJob::new(TestCluster::shared(), program, 3);
    let cache = ["--statestore-cache-max-bytes", "1000000"];
    let arguments = [ARGUMENTS.as_slice(), &cache].concat();
    produce(&job, 0..200);
    go_on(&job, &arguments);
    let before = job.outputs().len();
    produce(&job, 200..400);
    die_at(&job, &arguments, point, passes);
    go_on(&job, &arguments);
    let (counts, outputs) = (Counts::of_words(&job.inputs()), job.outputs());
    counts.are_reached_by(&outputs);
    let changelog = format!("{}-counts-changelog", job.application_id);
    counts.are_kept_in(&TestCluster::shared().read_committed(&changelog));
    let (told, updates) = (outputs.len(), counts.updates());
    assert!(before < told && told < updates / 2, "{told} of {updates}");
}

#[test]
fn a_process_that_dies_with_updates_sent_on_and_not_committed_loses_none() {
    survives("BeforeChangelog", 0);
}

#[test]
fn a_process_that_dies_in_a_later_checkpoint_loses_no_update() {
    survives("AfterOffsets", 1);
}

#[test]
fn a_process_that_dies_between_the_commit_and_the_stores_tells_no_update_twice() {
    survives("AfterCommit", 0);
}
