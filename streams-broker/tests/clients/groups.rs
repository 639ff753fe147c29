//! Consumers that share a topic.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use streams_broker::EmbeddedKafka;

use crate::client::{consumer, partitions_of, wait_for};

#[test]
fn two_consumers_share_by_range_and_one_takes_over() {
    let kafka = EmbeddedKafka::builder().topic("t", 4).start().unwrap();
    let first = consumer(&kafka, "g", "read_committed");
    first.subscribe(&["t"]).unwrap();
    wait_for("the first assignment", || {
        first.poll(Duration::from_millis(10));
        (partitions_of(&first) == [0, 1, 2, 3]).then_some(())
    });
    let second = consumer(&kafka, "g", "read_committed");
    second.subscribe(&["t"]).unwrap();
    wait_for("an even split", || {
        first.poll(Duration::from_millis(10));
        second.poll(Duration::from_millis(10));
        (partitions_of(&first).len() == 2 && partitions_of(&second).len() == 2).then_some(())
    });
    drop(first);
    wait_for("the other's share", || {
        second.poll(Duration::from_millis(10));
        (partitions_of(&second) == [0, 1, 2, 3]).then_some(())
    });
}

#[test]
fn a_dead_consumers_session_ends() {
    let kafka = EmbeddedKafka::builder().topic("t", 2).start().unwrap();
    let first = consumer(&kafka, "g", "read_committed");
    first.subscribe(&["t"]).unwrap();
    wait_for("the first assignment", || {
        first.poll(Duration::from_millis(10));
        (partitions_of(&first) == [0, 1]).then_some(())
    });
    // Its heartbeats come too late for a broker whose clock runs ahead: it is thrown out, and joins again.
    kafka.advance_clock(Duration::from_secs(7));
    let second = consumer(&kafka, "g", "read_committed");
    second.subscribe(&["t"]).unwrap();
    wait_for("an even split", || {
        first.poll(Duration::from_millis(10));
        second.poll(Duration::from_millis(10));
        (partitions_of(&first).len() == 1 && partitions_of(&second).len() == 1).then_some(())
    });
}
