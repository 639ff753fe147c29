//! The settings of changelogs: topics that would lose rows, or were another kind of store's, are refused.

use rdkafka::producer::BaseRecord;
use std::time::Duration;
use streams::ByType;
use streams::prelude::*;
use streams_tests::Sender;

use crate::fixture::Counting;

const HISTORY: Option<Duration> = Some(Duration::from_secs(3_600));

#[test]
fn changelogs_that_forget_rows_are_refused() {
    let mut job = Counting::new(1);
    job.produce(30, 10);
    job.run_until_latest();
    job.produce(30, 10);
    for policy in ["compact,delete", "delete"] {
        job.set_policy(&job.changelog(), policy);
        let error = job.run(job.topology()).unwrap_err().to_string();
        assert!(
            error.contains(&job.changelog())
                && error.contains(&format!("its `cleanup.policy` is `{policy}`"))
                && error.contains("Set it to `compact`"),
            "{error}"
        );
    }
    job.set_policy(&job.changelog(), "compact");
    job.run_until_latest();
    job.judge();
}

fn put(job: &Counting, topic: &str, key: &str, value: &str) {
    let sender = Sender::new(job.cluster, &[("enable.idempotence", "true")]);
    sender.send(BaseRecord::to(topic).key(key).payload(value));
    sender.flush();
}

/// Looks the input up in a table, which may be versioned.
fn looked_up(
    job: &Counting,
    rows: &str,
    history: Option<Duration>,
    optimization: TopologyOptimization,
) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    builder.topology_optimization(optimization);
    let mut table = builder.table::<String, String>(rows).named("kept");
    if let Some(history) = history {
        table = table.versioned(history);
    }
    let input: KStream<String, String> = builder.source(&job.input, ByType, ByType);
    let joined = input.left_join(&table, |_: &String, row: Option<&String>| {
        row.map_or("none".to_owned(), Clone::clone)
    });
    joined.to(&job.output);
    job.configured(&builder, |_| {})
}

/// A table that was versioned so, and is so now: the error that refuses it, if one does. Whoever is not refused has the row.
fn changed(
    before: Option<Duration>,
    now: Option<Duration>,
    optimization: TopologyOptimization,
) -> Option<String> {
    let mut job = Counting::new(1);
    let rows = job.cluster.topic("rows", 1);
    job.set_policy(&rows, "compact");
    put(&job, &rows, "a", "row a");
    let run_as_before = |job: &Counting| {
        let topology = looked_up(job, &rows, before, optimization);
        job.run(topology).unwrap();
    };
    // The row is there before what looks it up comes.
    run_as_before(&job);
    put(&job, &job.input, "a", "1");
    run_as_before(&job);
    put(&job, &job.input, "a", "2");
    let error = job.run(looked_up(&job, &rows, now, optimization));
    let error = error.map_err(|error| error.to_string()).err();
    // What is refused here is refused elsewhere too, and as it was it goes on.
    job.directory = tempfile::tempdir().unwrap();
    let again = job.run(looked_up(&job, &rows, now, optimization));
    assert_eq!(again.is_err(), error.is_some());
    if error.is_some() {
        run_as_before(&job);
    }
    let outputs = job.cluster.read_committed(&job.output);
    let outputs: Vec<&str> = outputs.iter().map(|record| record.text()).collect();
    assert_eq!(outputs, ["row a", "row a"]);
    error
}

#[test]
fn a_table_that_becomes_versioned_has_its_rows_or_is_refused() {
    let error = changed(None, HISTORY, TopologyOptimization::None).unwrap();
    assert!(
        error.contains("-kept-changelog`") && error.contains("take `.versioned` back"),
        "{error}"
    );
    let reuse = TopologyOptimization::ReuseKtableSourceTopics;
    let error = changed(None, HISTORY, reuse).unwrap();
    assert!(error.contains("take `.versioned` back"), "{error}");
}

#[test]
fn a_table_that_is_not_versioned_any_more_has_its_rows_or_is_refused() {
    let error = changed(HISTORY, None, TopologyOptimization::None).unwrap();
    assert!(
        error.contains("-kept-changelog`") && error.contains("write `.versioned` again"),
        "{error}"
    );
    // The table's own topic has the rows.
    let reuse = TopologyOptimization::ReuseKtableSourceTopics;
    assert_eq!(changed(HISTORY, None, reuse), None);
}

#[test]
fn a_history_of_another_length_is_no_other_kind() {
    let longer = Some(Duration::from_secs(3 * 3_600));
    assert_eq!(changed(HISTORY, longer, TopologyOptimization::None), None);
    assert_eq!(changed(longer, HISTORY, TopologyOptimization::None), None);
}
