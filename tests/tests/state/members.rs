//! Tasks that go from one instance to another, and come back.

use std::time::Duration;

use rdkafka::producer::BaseRecord;
use streams::ByType;
use streams::prelude::*;
use streams::runtime::{Event, JobHandle, RestoreStatus};
use streams_tests::{Counts, Isolation, Sender, wait_until};
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

/// Counts the input and a second one together.
fn of_two_inputs(job: &Counting, second: &str) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    builder.checkpoint_interval(Duration::from_millis(200));
    let input: KStream<str, str> = builder.source(&job.input, ByType, ByType);
    let both = input.merge(&builder.source(second, ByType, ByType));
    let counts = both.group_by_key().count().named("counts").to_stream();
    counts.to(&job.output);
    job.configured(&builder, |_| {})
}

fn send_one_of_each_key(job: &Counting, topic: &str) {
    let sender = Sender::new(job.cluster, &[("enable.idempotence", "true")]);
    for key in 0..10 {
        let key = format!("key-{key}");
        sender.send(BaseRecord::to(topic).key(&key).payload("x"));
    }
    sender.flush();
}

/// The partitions of a topic that are counted to their ends.
fn counted(job: &Counting, topic: &str) -> Vec<bool> {
    let ends = job.cluster.end_offsets(topic, Isolation::Committed);
    let partitions = ends.len().try_into().unwrap();
    let committed = job.cluster.committed(&job.application, topic, partitions);
    let is_counted = |(at, end): (Option<i64>, i64)| at.is_some_and(|at| at >= end);
    committed.into_iter().zip(ends).map(is_counted).collect()
}

/// Two instances whose topologies differ in that one of them reads a second topic. One of the two has the first topic's
/// partition that belongs to a partition of the second one, and must not share its counts with the other instance.
fn an_input_more(is_added: bool) {
    let mut job = Counting::new(2);
    job.properties = vec![("session.timeout.ms", "6000")];
    let second = job.cluster.topic("in2", 2);
    let (small, large) = (job.topology(), of_two_inputs(&job, &second));
    let (before, later) = match is_added {
        true => (small, large.clone()),
        false => (large.clone(), small),
    };
    job.produce(100, 10);
    let one = job.start(before);
    job.wait_until_counted();
    let elsewhere = tempfile::tempdir().unwrap();
    let two = job.start_in(later, elsewhere.path());
    let of_one_input = |event: &Event| matches!(event, Event::Assigned { partitions, .. } if partitions.len() == 1);
    wait_until("each has a part", SOON, || job.count(of_one_input) > 0);
    for _ in 0..3 {
        send_one_of_each_key(&job, &second);
        wait_until("a part of it is counted", SOON, || {
            counted(&job, &second).contains(&true)
        });
        job.produce(50, 10);
        let is_counted = || counted(&job, &job.input).iter().filter(|c| **c).count();
        // Where the one with both topics has lost a partition of the first, the other one has it, and counts it alone.
        wait_until("the first input is counted", SOON, || is_counted() == 2);
    }
    job.stop(one);
    job.stop(two);
    job.run(large).unwrap();
    let mut all = job.inputs();
    all.extend(job.cluster.read_committed(&second));
    Counts::of(&all).are_told_by(&job.cluster.read_committed(&job.output));
}

#[test]
fn a_source_that_is_added_while_an_instance_of_before_runs_spoils_no_count() {
    an_input_more(true);
}

#[test]
fn a_source_that_is_left_out_while_an_instance_of_before_runs_spoils_no_count() {
    an_input_more(false);
}
