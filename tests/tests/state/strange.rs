//! State that somebody or something else has changed, or that was kept by a topology with other stores: it is restored, or refused
//! with what to do, and never taken for what it is not.

use rdkafka::admin::AdminOptions;
use rdkafka::producer::BaseRecord;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use streams::prelude::*;
use streams_broker::{ApiKey, Fault};
use streams_tests::{Sender, block_on, wait_until};

use crate::fixture::{Counting, SOON, broker};

const HOUR: Duration = Duration::from_secs(3_600);

/// A record with the key `a`, of so many minutes behind the hour that began two hours ago.
fn put_at(job: &Counting, topic: &str, value: &str, minute: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let hour = i64::try_from(now.as_secs() / 3_600).unwrap() - 2;
    let at = hour * 3_600_000 + minute * 60_000;
    let sender = Sender::new(job.cluster, &[]);
    let record = BaseRecord::to(topic).timestamp(at);
    sender.send(record.key("a").payload(value));
    sender.flush();
}

fn outputs(job: &Counting) -> Vec<String> {
    let outputs = job.cluster.read_committed(&job.output);
    outputs.iter().map(|r| r.text().to_owned()).collect()
}

/// The error that a job ends with.
fn refusal(job: &Counting, topology: Topology) -> String {
    job.run(topology).unwrap_err().to_string()
}

fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// Writes the value that it was given a minute before.
struct Before(WindowStore<String, String>);

impl Processor<String, String> for Before {
    type KeyOut = String;
    type ValueOut = String;

    fn process(
        &mut self,
        record: Record<'_, String, String>,
        cx: &mut ProcessorContext<'_, String, String>,
    ) -> Outcome {
        let (key, at) = (record.key, record.timestamp);
        let before = self.0.get(cx, key, at - 60_000)?;
        self.0.put(cx, key, Some(record.value), at)?;
        cx.forward(record.with_value(&before.unwrap_or("none".to_owned())))
    }
}

#[test]
fn windows_are_found_where_their_retention_is_another_one_than_before() {
    let job = Counting::new(1);
    for (n, retention) in (0..).zip([HOUR, 3 * HOUR, HOUR]) {
        let builder = TopologyBuilder::new(&job.application);
        let windows = builder.store(Stores::window("windows", retention, HOUR / 60));
        let input = builder.stream::<String, String>(&job.input);
        input.process_with(&windows, Before).to(&job.output);
        put_at(&job, &job.input, &format!("v{n}"), n);
        job.run(job.configured(&builder, |_| ())).unwrap();
    }
    assert_eq!(outputs(&job), ["none", "v0", "v1"]);
}

/// Joins the records with a table, the past of which is kept for so long.
fn looked_up(job: &Counting, rows: &str, history: Duration) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    let table = builder.table::<String, String>(rows).named("kept");
    let table = table.versioned(history);
    let input: KStream<String, String> = builder.source(&job.input, ByType, ByType);
    let joined = input.left_join(&table, |_: &String, row: Option<&String>| {
        row.map_or("none".to_owned(), Clone::clone)
    });
    joined.to(&job.output);
    job.configured(&builder, |_| {})
}

#[test]
fn another_history_than_before_is_refused_and_nothing_is_lost_by_trying() {
    let mut job = Counting::new(1);
    let rows = job.cluster.topic("rows", 1);
    put_at(&job, &rows, "old", 0);
    put_at(&job, &rows, "new", 20);
    // The rows are there before what looks them up comes.
    job.run(looked_up(&job, &rows, HOUR)).unwrap();
    put_at(&job, &job.input, "x", 30);
    job.run(looked_up(&job, &rows, HOUR)).unwrap();
    for without_directory in [false, true] {
        put_at(&job, &job.input, "x", 10);
        if without_directory {
            job.directory = tempfile::tempdir().unwrap();
        }
        let error = refusal(&job, looked_up(&job, &rows, 3 * HOUR));
        assert_says(&error, &["`kept`", "-kept-changelog-0", "another history"]);
        job.run(looked_up(&job, &rows, HOUR)).unwrap();
    }
    assert_eq!(outputs(&job), ["new", "old", "old"]);
}

/// Counts in windows, in a store that has the name of the counts.
fn windowed(job: &Counting) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    let windows = builder.store(Stores::window("counts", HOUR, HOUR / 60));
    let input = builder.stream::<String, String>(&job.input);
    input.process_with(&windows, Before).to(&job.output);
    job.configured(&builder, |_| {})
}

#[test]
fn a_store_that_was_of_another_kind_is_refused() {
    let mut job = Counting::new(1);
    job.produce(30, 10);
    job.run_until_latest();
    job.produce(30, 10);
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        job.directory = directory.unwrap_or(job.directory);
        let error = refusal(&job, windowed(&job));
        assert_says(&error, &["`counts`", "another kind", &job.changelog()]);
    }
    job.run_until_latest();
    job.judge();
}

fn forget_the_group(job: &Counting) {
    let admin = job.cluster.admin();
    wait_until("the group is gone", SOON, || {
        let deleted = block_on(admin.delete_groups(&[&job.application], &AdminOptions::new()));
        deleted.is_ok_and(|all| all.iter().all(Result::is_ok))
    });
}

#[test]
fn rows_without_committed_offsets_are_refused() {
    let mut job = Counting::new(1);
    job.produce(30, 10);
    job.run_until_latest();
    // As after `offsets.retention.minutes` without a member.
    forget_the_group(&job);
    job.produce(30, 10);
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        job.directory = directory.unwrap_or(job.directory);
        let error = refusal(&job, job.topology());
        assert_says(
            &error,
            &[
                "`counts`",
                &job.application,
                "no committed offsets",
                "--reset-offsets",
            ],
        );
    }
}

#[test]
fn a_directory_from_before_a_reset_is_refused() {
    let mut job = Counting::new(1);
    job.produce(10, 3);
    job.run_until_latest();
    let old = std::mem::replace(&mut job.directory, tempfile::tempdir().unwrap());
    job.cluster.delete_topic(&job.changelog()).unwrap();
    forget_the_group(&job);
    job.produce(20, 3);
    // Its changelog is longer now than that of before.
    job.run_until_latest();
    job.directory = old;
    job.produce(3, 3);
    let error = refusal(&job, job.topology());
    assert_says(&error, &[&job.changelog(), "delete the state directory"]);
}

/// What the job says that restores its state while its changelog is deleted.
fn restored_without_its_changelog(then: impl FnOnce(&Counting)) -> String {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    job.produce(30, 10);
    job.run_until_latest();
    job.directory = tempfile::tempdir().unwrap();
    let held = kafka.inject(Fault::hold(ApiKey::Fetch).topic(job.changelog()));
    let handle = job.start(job.topology());
    assert!(held.wait_until_struck(1, SOON));
    cluster.delete_topic(&job.changelog()).unwrap();
    then(&job);
    held.end();
    let error = job.fail(handle);
    assert_says(&error, &[&job.changelog(), "deleted"]);
    error
}

#[test]
fn a_changelog_that_is_deleted_while_it_is_read_ends_the_job() {
    let error = restored_without_its_changelog(|_| {});
    assert_says(&error, &["is gone", "Bring the topic back"]);
}

#[test]
fn a_changelog_that_is_made_anew_while_it_is_read_ends_the_job() {
    let error = restored_without_its_changelog(|job| {
        job.cluster.create_topic(&job.changelog(), 1).unwrap();
    });
    assert_says(&error, &["made again"]);
}
