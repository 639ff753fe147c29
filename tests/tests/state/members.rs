//! Tasks that go from one instance to another, and come back.

use std::time::Duration;

use streams::runtime::{Event, JobHandle, RestoreStatus};
use streams_tests::wait_until;
use tempfile::TempDir;

use crate::fixture::{Counting, SOON};

/// Two instances that have counted 3,000 records, the second of which, with this directory, took tasks over from the first.
fn two_instances(job: &mut Counting) -> (JobHandle, JobHandle, TempDir) {
    job.produce(2_000, 100);
    let first = job.start(job.topology());
    job.wait_until_counted();
    let elsewhere = tempfile::tempdir().unwrap();
    let second = job.start_in(job.topology(), elsewhere.path());
    // The second instance reads the changelogs of the tasks that it gets.
    wait_until("tasks have moved", SOON, || {
        job.count(|e| matches!(e, Event::Restore(r) if r.status == RestoreStatus::Completed && r.records > 0)) >= 2
    });
    job.produce(1_000, 100);
    job.wait_until_counted();
    job.judge();
    job.take_restores();
    (first, second, elsewhere)
}

#[test]
fn tasks_that_move_take_their_counts_along_and_need_only_the_difference_when_they_come_back() {
    let mut job = Counting::new(4);
    let (first, second, _elsewhere) = two_instances(&mut job);
    let before = job.changelog_records();
    job.stop(second);
    // It is a static member: its tasks come back when its session has timed out.
    wait_until("tasks are back", Duration::from_secs(60), || {
        let all =
            |e: &Event| matches!(e, Event::Assigned { partitions, .. } if partitions.len() == 4);
        job.count(all) >= 1
    });
    job.produce(400, 100);
    job.wait_until_counted();
    job.judge();
    job.stop(first);
    let restores = job.take_restores();
    let read: u64 = restores.iter().map(|r| r.records).sum();
    // The second instance has written some of the 1,000 changes; nothing else was lacking.
    assert!(read <= 1_000 && read < before as u64, "{restores:?}");
}

/// KIP-848: the brokers tell each member what it gains and what it loses.
#[test]
fn tasks_of_a_group_that_the_brokers_assign_take_their_counts_along() {
    let mut job = Counting::new(4);
    job.properties = vec![("group.protocol", "consumer")];
    let (first, second, _elsewhere) = two_instances(&mut job);
    job.stop(first);
    job.produce(1_000, 100);
    // Its tasks are idle until its session is over, 45 s where the brokers decide it.
    wait_until("all are counted", 3 * SOON, || {
        job.cluster.read_committed(&job.output).len() >= 4_000
    });
    job.judge();
    job.stop(second);
    // What the first one left comes back to it, with what it lacks.
    job.take_restores();
    job.run_until_latest();
    job.produce(400, 100);
    job.run_until_latest();
    job.judge();
    let read: u64 = job.take_restores().iter().map(|r| r.records).sum();
    assert!(read <= 2_000, "{read}");
}
