//! Records that go to the task of another key on their way.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode;
use streams::ByType;
use streams::prelude::*;
use streams::runtime::Event;
use streams_tests::{Counts, Isolation, ReadRecord, wait_until};

use crate::fixture::{Counting, SOON};

/// Counts the input by the last digit of its values.
fn by_last_digit(job: &Counting) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    builder.checkpoint_interval(Duration::from_millis(200));
    let input: KStream<str, String> = builder.source(&job.input, ByType, ByType);
    let digits = input.group_by(|_, value| value.chars().last().unwrap_or_default().to_string());
    digits.count().named("counts").to_stream().to(&job.output);
    job.configured(&builder, |config| {
        config.repartition_purge_interval = Duration::from_millis(100);
    })
}

fn judge(job: &Counting) {
    let last_digit = |text: &str| text.chars().last().unwrap().to_string().into_bytes();
    let counts = Counts::by(&job.inputs(), |record| last_digit(record.text()));
    counts.are_told_by(&job.cluster.read_committed(&job.output));
    counts.are_kept_in(&job.cluster.read_committed(&job.changelog()));
}

#[test]
fn a_bounded_run_ends_behind_what_went_through_the_repartition_topic() {
    let mut job = Counting::new(3);
    job.produce(1_000, 7);
    job.run(by_last_digit(&job)).unwrap();
    judge(&job);
    job.produce(300, 7);
    job.run(by_last_digit(&job)).unwrap();
    judge(&job);
}

/// It asks what is committed of its repartition topic while its client looks for the group's coordinator.
#[test]
fn a_bounded_run_with_nothing_to_do_asks_its_coordinator_once_it_has_one() {
    let job = Counting::new(4);
    let mut config = by_last_digit(&job).config().clone();
    config.stream_threads = 2;
    for _ in 0..15 {
        let topology = by_last_digit(&job).with_config(config.clone());
        job.run(topology).unwrap();
    }
    assert_eq!(job.count(|e| matches!(e, Event::Recovering { .. })), 0);
}

#[test]
fn what_is_committed_of_a_repartition_topic_is_deleted_and_never_missed() {
    let mut job = Counting::new(3);
    let topic = format!("{}-counts-repartition", job.application);
    for round in 1..=2 {
        job.produce(500, 7);
        let handle = job.start(by_last_digit(&job));
        wait_until("all has come out", SOON, || {
            job.cluster.read_committed(&job.output).len() == 500 * round
        });
        wait_until("it begins where it is committed", SOON, || {
            let begins: Vec<i64> = job.cluster.beginning_offsets(&topic);
            let committed = job.cluster.committed(&job.application, &topic, 3);
            let committed: Vec<i64> = committed.into_iter().flatten().collect();
            committed.len() == 3 && begins == committed
        });
        job.stop(handle);
    }
    judge(&job);
}

/// Two counts of the same keys, behind one repartition topic.
fn twice_by_last_digit(job: &Counting) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    builder.topology_optimization(TopologyOptimization::MergeRepartitionTopics);
    builder.checkpoint_interval(Duration::from_millis(200));
    let input: KStream<str, String> = builder.source(&job.input, ByType, ByType);
    let digits = input.group_by(|_, value| value.chars().last().unwrap_or_default().to_string());
    digits.count().named("counts").to_stream().to(&job.output);
    let _ = digits
        .aggregate(|| 0_i64, |_, _, so_far| so_far + 1)
        .named("again");
    job.configured(&builder, |_| {})
}

#[test]
fn a_merged_repartition_topic_is_one_and_leads_to_all_that_need_it() {
    let mut job = Counting::new(3);
    job.produce(1_000, 7);
    job.run(twice_by_last_digit(&job)).unwrap();
    judge(&job);
    let own = |name: &str| format!("{}-{name}", job.application);
    let sent = job
        .cluster
        .end_offsets(&own("counts-repartition"), Isolation::Committed);
    assert!(sent.iter().sum::<i64>() >= 1_000, "{sent:?}");
    let other = job.cluster.delete_topic(&own("again-repartition"));
    assert_eq!(other, Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    let kept = |store: &str| {
        let newest = |record: ReadRecord| (record.key, record.value);
        let records = job.cluster.read_committed(&own(store)).into_iter();
        records.map(newest).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(kept("again-changelog"), kept("counts-changelog"));
}
