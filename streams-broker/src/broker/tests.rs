#![expect(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::groups::{Claim, CommitKind};
use crate::log::batch::Outcome;
use crate::shared::Shared;
use crate::transactions::{ClientVersion, NO_PRODUCER, Partitions};

fn limits(marker_delay: Millis) -> Limits {
    Limits {
        marker_delay,
        ..Limits::none()
    }
}

fn broker(marker_delay: Millis) -> Broker {
    let node = Node {
        id: 1,
        host: "127.0.0.1".to_owned(),
        port: 0,
    };
    let mut broker = Broker::new(node, Settings::broker(), limits(marker_delay));
    broker.create_topic("a", 2, Settings::topic()).unwrap();
    broker
}

fn begin(broker: &mut Broker) -> ProducerIdentity {
    let producer = broker.initialise_producer("t", 1000, NO_PRODUCER).unwrap();
    let partitions = Partitions::from([("a".to_owned(), BTreeSet::from([0, 1]))]);
    let now = broker.now();
    broker
        .transactions
        .add_partitions("t", producer, &partitions, now)
        .unwrap();
    producer
}

#[test]
fn markers_go_to_every_partition_when_they_are_due() {
    let mut broker = broker(50);
    let producer = begin(&mut broker);
    let ending = broker
        .transactions
        .end("t", producer, Outcome::Commit, ClientVersion::V1, 0)
        .unwrap()
        .ending
        .unwrap();
    broker.decide(ending);
    assert_eq!(broker.topics.log("a", 1).unwrap().end(), 0);
    broker.clock.advance(Duration::from_millis(50));
    broker.tick();
    assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
    assert_eq!(broker.topics.log("a", 1).unwrap().end(), 1);
}

/// Of a topic that is made again in between the names are the same.
#[test]
fn markers_go_to_the_partitions_that_there_are_when_they_are_due() {
    let mut broker = broker(50);
    let producer = begin(&mut broker);
    let ended = broker
        .transactions
        .end("t", producer, Outcome::Commit, ClientVersion::V1, 0)
        .unwrap();
    broker.decide(ended.ending.unwrap());
    broker.delete_topic("a").unwrap();
    broker.create_topic("a", 1, Settings::topic()).unwrap();
    broker.clock.advance(Duration::from_millis(50));
    broker.tick();
    assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
    assert!(!broker.transactions.get("t").unwrap().is_running());
}

/// A group goes with `offsets.retention.check.interval.ms`, however often records are looked at.
#[test]
fn a_group_without_offsets_outlives_the_retention_of_records() {
    let mut broker = broker(0);
    let interval = broker.settings.set("log.retention.check.interval.ms", "10");
    assert_eq!(interval, Ok(()));
    broker.apply_retention();
    let nobody = Claim {
        member_id: "",
        instance: None,
        generation: -1,
    };
    let (settings, now) = (&broker.settings, broker.clock.now());
    let made = broker
        .groups
        .for_commit("g", nobody, CommitKind::Plain, settings, now);
    assert!(made.is_ok());
    broker.clock.advance(Duration::from_secs(1));
    broker.tick();
    assert!(broker.groups.get("g").is_some());
    broker.clock.advance(Duration::from_secs(601));
    broker.tick();
    assert!(broker.groups.get("g").is_none());
}

#[test]
fn late_transactions_are_aborted_at_the_next_scan() {
    let mut broker = broker(0);
    begin(&mut broker);
    broker.clock.advance(Duration::from_secs(9));
    broker.tick();
    assert_eq!(broker.topics.log("a", 0).unwrap().end(), 0);
    broker.clock.advance(Duration::from_secs(2));
    broker.tick();
    assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
}

#[test]
fn nothing_times_out_while_everything_stands_still() {
    let shared = Shared::new(broker(0));
    begin(&mut shared.lock());
    let end = || shared.lock().topics.log("a", 0).unwrap().end();
    shared.set_paused(true);
    shared.advance(Duration::from_secs(60));
    assert_eq!(end(), 0);
    shared.set_paused(false);
    shared.advance(Duration::ZERO);
    assert_eq!(end(), 1);
}

#[test]
fn initialising_again_aborts_and_asks_to_come_back() {
    let mut broker = broker(0);
    let old = begin(&mut broker);
    let first = broker.initialise_producer("t", 1000, NO_PRODUCER);
    assert_eq!(first, Err(ResponseError::ConcurrentTransactions));
    assert_eq!(
        broker
            .initialise_producer("t", 1000, NO_PRODUCER)
            .unwrap()
            .epoch,
        old.epoch + 2
    );
    assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
}
