//! What happens while a state is restored, which a broker that holds requests back makes long.

use streams::runtime::{Event, RestoreStatus};
use streams_broker::{ApiKey, ErrorCode, Fault};
use streams_tests::{Isolation, wait_until};

use crate::fixture::{Counting, SOON, broker, copy_directory};

/// Deletes what is before the offset in the changelog's only partition.
fn delete_before(job: &Counting, offset: i64) {
    // A topic that is only compacted keeps its records whoever asks.
    job.set_policy(&job.changelog(), "compact,delete");
    job.cluster
        .delete_records_before(&job.changelog(), 0, offset);
    job.set_policy(&job.changelog(), "compact");
}

#[test]
fn a_changelog_that_is_cut_off_while_it_is_read_is_read_from_where_it_begins_now() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    // What is deleted from it now was written again later.
    job.produce(30, 10);
    job.run_until_latest();
    let ends = cluster.end_offsets(&job.changelog(), Isolation::Uncommitted);
    let begins = *ends.first().unwrap();
    let written_before = job.changelog_records();
    job.produce(30, 10);
    job.run_until_latest();
    let written_since = (job.changelog_records() - written_before) as u64;
    job.take_restores();
    job.directory = tempfile::tempdir().unwrap();
    job.produce(30, 10);
    let fetch = Fault::hold(ApiKey::Fetch).topic(job.changelog()).nth(1);
    let held = kafka.inject(fetch);
    let handle = job.start_until_latest();
    assert!(held.wait_until_struck(1, SOON));
    delete_before(&job, begins);
    held.release();
    job.join(handle);
    job.judge();
    let restores = job.take_restores();
    assert_eq!(
        restores.last().unwrap().records,
        written_since,
        "{restores:?}"
    );
}

/// Waits until the transactions in the changelog are ended: their markers may come a little later than the commit.
fn wait_for_markers(job: &Counting) {
    let ends = |isolation| job.cluster.end_offsets(&job.changelog(), isolation);
    wait_until("the changelog is stable", SOON, || {
        ends(Isolation::Committed) == ends(Isolation::Uncommitted)
    });
}

#[test]
fn a_store_that_lacks_nothing_but_a_marker_reads_nothing() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    job.produce(30, 10);
    job.run_until_latest();
    wait_for_markers(&job);
    let fetches = kafka.inject(Fault::observe(ApiKey::Fetch).topic(job.changelog()));
    job.produce(30, 10);
    job.run_until_latest();
    assert_eq!(fetches.seen(), []);
    job.judge();
    // It is read where there is a record.
    job.directory = tempfile::tempdir().unwrap();
    let fetches = kafka.inject(Fault::observe(ApiKey::Fetch).topic(job.changelog()));
    job.produce(30, 10);
    job.run_until_latest();
    assert!(!fetches.seen().is_empty());
    job.judge();
}

#[test]
fn a_store_that_lacks_nothing_keeps_its_rows_though_its_changelog_has_none() {
    let mut job = Counting::new(1);
    job.produce(30, 10);
    job.run_until_latest();
    wait_for_markers(&job);
    let ends = job
        .cluster
        .end_offsets(&job.changelog(), Isolation::Uncommitted);
    delete_before(&job, *ends.first().unwrap());
    job.produce(30, 10);
    job.run_until_latest();
    job.judge_outputs();
}

#[test]
fn a_task_that_is_ready_does_not_wait_for_another_ones_restore() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 2);
    job.produce_to(0, "ready", 5);
    job.produce_to(1, "slow", 5);
    job.run_until_latest();
    // The store of partition 1 is set back: the other one's changelog gets nothing more.
    let earlier = tempfile::tempdir().unwrap();
    copy_directory(job.directory.path(), earlier.path());
    job.produce_to(1, "slow", 5);
    job.run_until_latest();
    job.directory = earlier;
    wait_for_markers(&job);
    let held = kafka.inject(Fault::hold(ApiKey::Fetch).topic(job.changelog()));
    let handle = job.start(job.topology());
    assert!(held.wait_until_struck(1, SOON));
    job.produce_to(1, "slow", 1);
    job.produce_to(0, "ready", 1);
    job.wait_until_told_of("ready", 6);
    assert!(!job.is_told_of("slow", 11), "it was not restored");
    held.end();
    job.wait_until_told_of("slow", 11);
    job.stop(handle);
    job.judge();
}

#[test]
fn a_restore_that_is_cut_short_is_told_and_the_next_one_goes_on() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    job.produce(30, 10);
    job.run_until_latest();
    let written = job.changelog_records() as u64;
    job.directory = tempfile::tempdir().unwrap();
    let held = kafka.inject(Fault::hold(ApiKey::Fetch).topic(job.changelog()));
    let handle = job.start(job.topology());
    assert!(held.wait_until_struck(1, SOON));
    job.take_events();
    job.stop(handle);
    held.end();
    let suspended = job.take_events().into_iter().find_map(|event| match event {
        Event::Restore(restore) => Some((restore.status, restore.from, restore.position)),
        _ => None,
    });
    assert_eq!(suspended, Some((RestoreStatus::Suspended, 0, 0)));
    job.produce(30, 10);
    job.run_until_latest();
    assert_eq!(job.take_restored(), written);
    job.judge();
}

#[test]
fn errors_whose_code_the_client_does_not_know_are_got_over() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 12);
    job.produce(30, 10);
    job.run_until_latest();
    job.directory = tempfile::tempdir().unwrap();
    job.produce(30, 10);
    let unknown = Fault::fail(ApiKey::Fetch, ErrorCode::InconsistentTopicId);
    let fault = kafka.inject(unknown.topic(job.changelog()).first(60));
    job.run_until_latest();
    assert!(!fault.struck().is_empty());
    job.judge();
}
