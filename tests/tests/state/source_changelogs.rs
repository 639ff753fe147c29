//! Tables whose topics are their changelogs: nothing else is written for them, and what they lack is read there, up to where
//! the job has processed it and no further.

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::BaseRecord;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;
use streams::prelude::*;
use streams::runtime::Event;
use streams::serde::SerdeError;
use streams::{ByType, StateBackend};
use streams_broker::{ApiKey, ErrorCode, Fault};
use streams_tests::{ReadRecord, Sender, wait_until};

use crate::fixture::{Counting, SOON, broker, copy_directory};

fn optimizing(job: &Counting) -> TopologyBuilder {
    builder(job, TopologyOptimization::ReuseKtableSourceTopics)
}

fn builder(job: &Counting, optimization: TopologyOptimization) -> TopologyBuilder {
    let builder = TopologyBuilder::new(&job.application);
    builder.topology_optimization(optimization);
    builder.checkpoint_interval(Duration::from_millis(200));
    builder.on_deserialize_error(ErrorPolicy::Skip);
    builder
}

/// Adds all rows of the input up. A row that is known before it is processed would be taken off once too often.
fn total(job: &Counting) -> Topology {
    total_of(job, &optimizing(job))
}

fn total_of(job: &Counting, builder: &TopologyBuilder) -> Topology {
    let rows = builder.table::<String, i64>(&job.input).named("rows");
    let all = rows.group_by(|_, value| ("all".to_owned(), *value));
    let total = all.aggregate(|| 0, |_, v, sum| sum + v, |_, v, sum| sum - v);
    total.named("total").to_stream().to(&job.output);
    job.configured(builder, |_| {})
}

fn send(job: &Counting, rows: &[(&str, i64)]) {
    let sender = Sender::new(job.cluster, &[("enable.idempotence", "true")]);
    for (key, value) in rows {
        let value = value.to_be_bytes();
        sender.send(BaseRecord::to(&job.input).key(*key).payload(&value));
    }
    sender.flush();
}

fn send_unreadable(job: &Counting, key: &str) {
    let sender = Sender::new(job.cluster, &[("enable.idempotence", "true")]);
    sender.send(BaseRecord::to(&job.input).key(key).payload("?"));
    sender.flush();
}

fn told(job: &Counting) -> Option<i64> {
    let told = job.cluster.read_committed(&job.output);
    told.last()
        .and_then(|record| number(record.value.as_ref()?))
}

/// Rows of thirty keys, each of which is written twice.
fn send_many(job: &Counting, from: i64) {
    let keys: Vec<String> = (0..30).map(|key| format!("key-{key}")).collect();
    let rows: Vec<(&str, i64)> = keys
        .iter()
        .map(String::as_str)
        .cycle()
        .zip(from..from + 60)
        .collect();
    send(job, &rows);
}

fn number(value: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(value.try_into().ok()?))
}

#[track_caller]
fn judge(job: &Counting) {
    let mut rows = BTreeMap::new();
    for ReadRecord { key, value, .. } in job.inputs() {
        match value {
            Some(value) => number(&value).and_then(|value| rows.insert(key, value)),
            None => rows.remove(&key),
        };
    }
    assert_eq!(told(job), Some(rows.values().sum()));
}

fn restored(job: &Counting) -> u64 {
    let restores = job.take_restores().into_iter();
    let of_rows = restores.filter(|restore| restore.store == "rows");
    of_rows
        .inspect(|restore| assert!(restore.changelog.starts_with(&job.input), "{restore:?}"))
        .map(|restore| restore.records)
        .sum()
}

#[track_caller]
fn nothing_else_is_written(job: &Counting) {
    let changelog = format!("{}-rows-changelog", job.application);
    let there = job.cluster.delete_topic(&changelog);
    assert_eq!(there, Err(RDKafkaErrorCode::UnknownTopicOrPartition));
}

#[test]
fn what_is_lost_is_read_from_the_topic_of_the_table_up_to_where_it_is_processed() {
    let mut job = Counting::new(3);
    send_many(&job, 100);
    // No row: `on_error` leaves it out, and so does a restore.
    send_unreadable(&job, "unreadable");
    job.run(total(&job)).unwrap();
    judge(&job);
    job.take_restores();
    // These are to be processed, though they are in the same topic.
    send_many(&job, 500);
    send(&job, &[("unreadable", 9)]);
    job.directory = tempfile::tempdir().unwrap();
    job.run(total(&job)).unwrap();
    assert_eq!(restored(&job), 61);
    judge(&job);
    nothing_else_is_written(&job);
}

#[test]
fn a_store_on_disk_reads_nothing_that_it_has() {
    let job = Counting::new(3);
    send_many(&job, 100);
    job.run(total(&job)).unwrap();
    job.take_restores();
    send_many(&job, 500);
    job.run(total(&job)).unwrap();
    assert_eq!(restored(&job), 0);
    judge(&job);
}

#[test]
fn a_store_that_was_left_behind_reads_what_it_lacks() {
    let mut job = Counting::new(3);
    send_many(&job, 100);
    job.run(total(&job)).unwrap();
    let left = tempfile::tempdir().unwrap();
    copy_directory(job.directory.path(), left.path());
    send_many(&job, 300);
    job.run(total(&job)).unwrap();
    job.take_restores();
    job.directory = left;
    send_many(&job, 500);
    job.run(total(&job)).unwrap();
    assert_eq!(restored(&job), 60);
    judge(&job);
}

/// Panics on one number.
struct Touchy;

impl Serde<i64> for Touchy {
    fn serialize(&self, value: &i64, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<i64, SerdeError> {
        let value = number(bytes).ok_or_else(|| SerdeError::new("no number"))?;
        assert_ne!(value, 13, "as it was told");
        Ok(value)
    }
}

#[test]
fn a_record_that_its_serde_panics_on_is_left_out_by_a_restore_too() {
    let mut job = Counting::new(1);
    let touchy = |job: &Counting| {
        let builder = optimizing(job);
        builder.on_process_error(ErrorPolicy::Skip);
        let rows = builder.table_with::<String, i64>(&job.input, ByType, By(Touchy));
        let even = rows.named("rows").filter(|_, value| value % 2 == 0);
        even.to_stream().to(&job.output);
        job.configured(&builder, |_| {})
    };
    send(&job, &[("key", 12), ("other", 13), ("key", 14)]);
    job.run(touchy(&job)).unwrap();
    job.take_restores();
    job.directory = tempfile::tempdir().unwrap();
    send(&job, &[("other", 6)]);
    job.run(touchy(&job)).unwrap();
    assert_eq!(restored(&job), 3);
    // It would fail on the old value again if the table had it.
    assert_eq!(told(&job), Some(6));
}

#[test]
fn a_record_that_no_policy_leaves_out_is_none_that_a_restore_leaves_out() {
    let mut job = Counting::new(1);
    send(&job, &[("key", 5)]);
    send_unreadable(&job, "unreadable");
    job.run(total(&job)).unwrap();
    job.directory = tempfile::tempdir().unwrap();
    let builder = optimizing(&job);
    builder.on_deserialize_error(ErrorPolicy::Fail);
    send(&job, &[("key", 6)]);
    let error = job.run(total_of(&job, &builder)).unwrap_err();
    let streams::Error::Record {
        topic,
        partition,
        offset,
        reason,
        ..
    } = &error
    else {
        unreachable!("{error}");
    };
    assert_eq!((topic, *partition, *offset), (&job.input, 0, 1));
    assert!(reason.contains("`rows` is restored from there"), "{reason}");
}

#[test]
fn a_row_that_its_store_does_not_take_is_left_out_by_a_restore() {
    let mut job = Counting::new(1);
    job.backend = StateBackend::Memory;
    send(&job, &[("key", 5), (&"long".repeat(20_000), 7)]);
    job.run(total(&job)).unwrap();
    job.take_restores();
    // A store on disk has shorter keys.
    job.backend = StateBackend::Disk;
    send(&job, &[("key", 6)]);
    job.run(total(&job)).unwrap();
    assert_eq!(restored(&job), 2);
    judge(&job);
}

#[test]
fn at_least_once_rows_that_were_processed_are_restored_also_of_aborted_transactions() {
    let mut job = Counting::new(1);
    let at_least_once = |job: &Counting| {
        let builder = optimizing(job);
        builder.guarantee(Guarantee::AtLeastOnce);
        total_of(job, &builder)
    };
    send(&job, &[("key", 5)]);
    let sender = Sender::transactional(job.cluster, &job.cluster.unique("aborting"), &[]);
    sender.begin();
    let value = 40i64.to_be_bytes();
    sender.send(BaseRecord::to(&job.input).key("other").payload(&value));
    sender.flush();
    sender.abort();
    job.run(at_least_once(&job)).unwrap();
    assert_eq!(told(&job), Some(45));
    job.directory = tempfile::tempdir().unwrap();
    send(&job, &[("other", 1)]);
    job.run(at_least_once(&job)).unwrap();
    assert_eq!(told(&job), Some(6));
}

#[test]
fn a_store_in_memory_is_read_anew() {
    let mut job = Counting::new(1);
    job.backend = StateBackend::Memory;
    send_many(&job, 100);
    job.run(total(&job)).unwrap();
    job.take_restores();
    send(&job, &[("key-0", 7)]);
    job.run(total(&job)).unwrap();
    assert_eq!(restored(&job), 60);
    judge(&job);
}

#[test]
fn rows_of_an_aborted_transaction_are_taken_back() {
    let (kafka, cluster) = broker();
    let job = Counting::on(cluster, 1);
    send_many(&job, 100);
    let refused = Fault::fail(ApiKey::TxnOffsetCommit, ErrorCode::IllegalGeneration);
    let refused = kafka.inject(refused.first(1));
    let handle = job.start(total(&job));
    wait_until("all is processed", SOON, || {
        cluster.committed(&job.application, &job.input, 1) == [Some(60)]
    });
    send_many(&job, 500);
    wait_until("all is processed", SOON, || {
        cluster.committed(&job.application, &job.input, 1) == [Some(120)]
    });
    job.stop(handle);
    assert_eq!(refused.struck().len(), 1);
    job.run(total(&job)).unwrap();
    judge(&job);
}

#[test]
fn a_table_that_is_set_back_is_as_it_was_there() {
    let job = Counting::new(1);
    let even = || {
        let builder = optimizing(&job);
        let rows = builder.table::<String, i64>(&job.input).named("rows");
        let even = rows.filter(|_, value| value % 2 == 0);
        even.to_stream().to(&job.output);
        job.configured(&builder, |_| {})
    };
    send(&job, &[("key", 3), ("key", 2)]);
    job.run(even()).unwrap();
    let config = job.cluster.config(&[("group.id", &job.application)]);
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    let first = Offset::Offset(0);
    offsets.add_partition_offset(&job.input, 0, first).unwrap();
    // The member that was there is a static one, which the group forgets when its session is over.
    wait_until("the group is empty", SOON, || {
        consumer.commit(&offsets, CommitMode::Sync).is_ok()
    });
    job.run(even()).unwrap();
    let told = job.cluster.read_committed(&job.output).into_iter();
    let told: Vec<_> = told
        .map(|record| record.value.and_then(|v| number(&v)))
        .collect();
    // A table that had the row already would have taken it off at the first record.
    assert_eq!(told, [Some(2), Some(2)]);
}

#[test]
fn a_topic_that_forgets_rows_is_refused() {
    let mut job = Counting::new(1);
    job.input = job.cluster.unique("forgets");
    let topic = NewTopic::new(&job.input, 1, TopicReplication::Fixed(1));
    job.cluster
        .create(&topic.set("retention.ms", "86400000"))
        .unwrap();
    let error = job.run(total(&job)).unwrap_err().to_string();
    assert!(
        error.contains("its `cleanup.policy` is `delete`"),
        "{error}"
    );
}

#[test]
fn an_optimization_that_is_turned_off_would_lose_the_rows_and_is_refused() {
    let job = Counting::new(1);
    send_many(&job, 100);
    job.run(total(&job)).unwrap();
    let as_written = || total_of(&job, &builder(&job, TopologyOptimization::None));
    let error = job.run(as_written()).unwrap_err().to_string();
    assert!(
        error.contains("`rows`") && error.contains("Choose `reuse_ktable_source_topics` again"),
        "{error}"
    );
    nothing_else_is_written(&job);
    send_many(&job, 500);
    job.run(total(&job)).unwrap();
    judge(&job);
}

#[test]
fn a_versioned_table_has_a_changelog_of_its_own() {
    let job = Counting::new(1);
    let builder = optimizing(&job);
    let rows = builder.table::<String, i64>(&job.input).named("rows");
    let rows = rows.versioned(Duration::from_secs(3_600));
    rows.to_stream().to(&job.output);
    send(&job, &[("key", 3)]);
    job.run(job.configured(&builder, |_| {})).unwrap();
    let changelog = format!("{}-rows-changelog", job.application);
    assert!(!job.cluster.read_committed(&changelog).is_empty());
}

#[test]
fn a_table_that_begins_at_the_end_of_its_topic_has_no_rows_from_before() {
    let mut job = Counting::new(1);
    job.backend = StateBackend::Memory;
    send(&job, &[("key", 5)]);
    let builder = optimizing(&job);
    builder.offset_reset(OffsetReset::Latest);
    let handle = job.start(total_of(&job, &builder));
    let is_rows =
        |event: &Event| matches!(event, Event::Restore(restore) if restore.store == "rows");
    wait_until("the table is there", SOON, || job.count(is_rows) > 0);
    assert_eq!(restored(&job), 0);
    send(&job, &[("key", 3)]);
    job.wait_until_told(3);
    job.stop(handle);
}

#[test]
fn a_topic_that_begins_behind_the_job_takes_no_row_from_a_table_that_has_all() {
    let job = Counting::new(1);
    send(&job, &[("key", 5)]);
    job.run(total(&job)).unwrap();
    // The one that was not processed is gone: the topic begins behind it.
    send(&job, &[("key", 6)]);
    job.cluster.delete_records_before(&job.input, 0, 2);
    send(&job, &[("key", 7)]);
    job.run(total(&job)).unwrap();
    // A table that had lost its row would not have taken the five off.
    judge(&job);
}

#[test]
fn an_optimization_that_is_turned_off_is_noticed_where_nothing_is_on_disk() {
    let mut job = Counting::new(1);
    job.backend = StateBackend::Memory;
    let plain = |builder: &TopologyBuilder| {
        let rows = builder.table::<String, i64>(&job.input).named("rows");
        rows.to_stream().to(&job.output);
        job.configured(builder, |_| {})
    };
    send(&job, &[("key", 5)]);
    job.run(plain(&optimizing(&job))).unwrap();
    let as_written = builder(&job, TopologyOptimization::None);
    let error = job.run(plain(&as_written)).unwrap_err().to_string();
    let changelog = format!("{}-rows-changelog", job.application);
    for what in [
        "`rows`",
        &*job.input,
        &*changelog,
        "Choose `reuse_ktable_source_topics` again if",
    ] {
        assert!(error.contains(what), "{error}");
    }
    nothing_else_is_written(&job);
    // It is not the optimization that makes the difference here.
    let builder = optimizing(&job);
    let rows = builder.table::<String, i64>(&job.input).named("rows");
    let rows = rows.versioned(Duration::from_secs(3_600));
    rows.to_stream().to(&job.output);
    let error = job.run(job.configured(&builder, |_| {})).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("take `.versioned` back"), "{error}");
}

#[test]
fn a_topic_whose_settings_are_not_told_at_first_is_asked_again() {
    let (kafka, cluster) = broker();
    let mut job = Counting::on(cluster, 1);
    job.input = cluster.unique("forgets");
    let topic = NewTopic::new(&job.input, 1, TopicReplication::Fixed(1));
    cluster
        .create(&topic.set("retention.ms", "86400000"))
        .unwrap();
    // The first question is about the broker.
    let away = Fault::fail(ApiKey::DescribeConfigs, ErrorCode::RequestTimedOut);
    let away = kafka.inject(away.first(3));
    let error = job.run(total(&job)).unwrap_err().to_string();
    assert!(
        error.contains("its `cleanup.policy` is `delete`"),
        "{error}"
    );
    assert_eq!(away.struck().len(), 3);
}
