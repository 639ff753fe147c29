//! The job's own topics: made at the start, and refused when they are not what they have to be.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Instant;
use streams::prelude::*;
use streams::runtime::JobState;
use streams::{ByType, StateBackend};
use streams_broker::{ApiKey, ErrorCode, Fault};
use streams_tests::wait_until;

use crate::fixture::{Counting, SOON, broker};

fn delete(job: &Counting, topic: &str) {
    job.cluster.delete_topic(topic).unwrap();
}

fn error(job: &Counting, topology: Topology) -> String {
    job.run(topology).unwrap_err().to_string()
}

#[test]
fn a_changelog_of_another_size_is_refused() {
    let job = Counting::new(3);
    job.cluster.create_topic(&job.changelog(), 2).unwrap();
    let error = error(&job, job.topology());
    let expected = format!("`{}` has 2 partitions where 3 are needed", job.changelog());
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_topic_whose_partitions_cannot_be_told_for_a_while_is_asked_for_again() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 2);
    job.produce(10, 3);
    let fault = Fault::fail(ApiKey::Metadata, ErrorCode::LeaderNotAvailable);
    let fault = kafka.inject(fault.first(10));
    // Without partitions it would need internal topics of none.
    job.run_until_latest();
    assert_eq!(fault.struck().len(), 10);
    job.judge();
}

#[test]
fn a_partition_that_is_added_while_the_job_runs_ends_it() {
    let mut job = Counting::new(2);
    job.produce(10, 3);
    let running = job.start(job.topology());
    job.wait_until_counted();
    let started = Instant::now();
    job.cluster.grow(&job.input, 3).unwrap();
    let error = job.fail(running);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let added = format!("{}-2 was added while the job runs", job.input);
    assert!(
        error.contains(&added) && error.contains("there were 2 partitions"),
        "{error}"
    );
    assert!(error.contains("reset the application"), "{error}");
    job.judge();
}

fn vanished(backend: StateBackend) {
    let mut job = Counting::new(1);
    job.backend = backend;
    job.produce(10, 3);
    job.run_until_latest();
    delete(&job, &job.changelog());
    // Nothing is made that would hide it from the next start.
    for _ in 0..2 {
        let error = error(&job, job.topology());
        assert!(
            error.contains(&format!("`{}` is gone", job.changelog()))
                && error.contains("reset the application")
                && error.contains(job.directory.path().to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn a_changelog_that_vanished_is_refused_where_the_state_was_on_disk() {
    vanished(StateBackend::Disk);
}

#[test]
fn a_changelog_that_vanished_is_refused_where_the_state_was_in_memory() {
    vanished(StateBackend::Memory);
}

#[test]
fn a_changelog_that_is_deleted_while_the_job_runs_ends_it_and_is_named() {
    let mut job = Counting::new(1);
    job.produce(10, 3);
    let running = job.start(job.topology());
    job.wait_until_counted();
    delete(&job, &job.changelog());
    job.produce(10, 3);
    // Also while nobody waits for its end.
    wait_until("it says that it ends", SOON, || {
        running.state() != JobState::Running
    });
    let error = job.fail(running);
    assert!(
        error.contains(&job.changelog()) && error.contains("reset the application"),
        "{error}"
    );
}

fn refuses_a_changelog_made_anew(backend: StateBackend) {
    let mut job = Counting::new(1);
    job.backend = backend;
    job.produce(10, 3);
    job.run_until_latest();
    delete(&job, &job.changelog());
    job.cluster.create_topic(&job.changelog(), 1).unwrap();
    job.set_policy(&job.changelog(), "compact");
    job.produce(10, 3);
    let error = error(&job, job.topology());
    let directory = job.directory.path().display().to_string();
    for part in ["that one was deleted", &job.changelog(), &directory] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_changelog_that_was_made_anew_is_refused() {
    refuses_a_changelog_made_anew(StateBackend::Disk);
}

#[test]
fn a_changelog_that_was_made_anew_is_refused_where_the_state_was_in_memory() {
    refuses_a_changelog_made_anew(StateBackend::Memory);
}

#[test]
fn a_renamed_store_is_asked_about() {
    let mut job = Counting::new(1);
    job.produce(10, 3);
    job.run_until_latest();
    let renamed = || job.configured(&builder_of(&job, "totals"), |_| {});
    let error = error(&job, renamed());
    assert!(
        error.contains("was `let counts` renamed to `let totals`?")
            && error.contains(&job.changelog()),
        "{error}"
    );
    // Nothing was made that would hide it from the next start.
    let error = self::error(&job, renamed());
    assert!(error.contains("was `let counts` renamed"), "{error}");
    job.run_until_latest();
    job.judge();
}

/// An application of this id on the job's cluster, which keeps counts: a changelog and a group.
fn other_application(job: &Counting, id: &str) -> String {
    let changelog = format!("{id}-counts-changelog");
    job.cluster.create_topic(&changelog, 1).unwrap();
    let config = job.cluster.config(&[("group.id", id)]);
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(&job.input, 0, Offset::Offset(1))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    changelog
}

#[test]
fn a_new_store_is_not_taken_for_the_one_of_another_application_whose_id_is_longer() {
    let mut job = Counting::new(1);
    job.produce(10, 3);
    job.run(job.configured(&stateless(&job), |_| {})).unwrap();
    other_application(&job, &format!("{}-eu", job.application));

    job.produce(10, 3);
    job.run_until_latest();

    assert!(job.changelog_records() > 0);
}

#[test]
fn where_groups_are_not_told_the_job_does_not_start_and_says_why() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    job.produce(10, 3);
    job.run(job.configured(&stateless(&job), |_| {})).unwrap();
    let other = other_application(&job, &format!("{}-eu", job.application));
    let denied = ErrorCode::ClusterAuthorizationFailed;
    kafka.inject(Fault::fail(ApiKey::ListGroups, denied));

    let error = error(&job, job.topology());

    assert!(
        error.contains("does not tell whether it is another application's")
            && error.contains("ClusterAuthorizationFailed")
            && error.contains(&format!("delete the topic `{other}`")),
        "{error}"
    );
}

fn stateless(job: &Counting) -> TopologyBuilder {
    let builder = TopologyBuilder::new(&job.application);
    let input: KStream<str, str> = builder.source(&job.input, ByType, ByType);
    input.map_values(|_| 0_i64).to(&job.output);
    builder
}

#[test]
fn connections_that_are_cut_do_not_end_the_creation_of_topics() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    job.produce(10, 3);
    let created = kafka.inject(Fault::hold_answer(ApiKey::CreateTopics).first(1));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| job.run_until_latest());
        assert!(created.wait_until_struck(1, SOON));
        let cut = kafka.inject(Fault::cut_before(ApiKey::Metadata).first(4));
        created.release();
        assert!(cut.wait_until_struck(4, SOON));
        run.join().unwrap();
    });
    job.judge();
}

fn builder_of(job: &Counting, name: &str) -> TopologyBuilder {
    let builder = TopologyBuilder::new(&job.application);
    let input: KStream<str, str> = builder.source(&job.input, ByType, ByType);
    input
        .group_by_key()
        .count()
        .named(name)
        .to_stream()
        .to(&job.output);
    builder
}
