//! While the markers of a transaction are being written, its producer is told to wait: CONCURRENT_TRANSACTIONS.
//!
//! A transaction over many partitions takes its time to end. A request that comes too late to see that is asked again, with
//! another producer.

use std::time::{Duration, Instant};

use crate::wire::{Wire, patiently, unique};

const CONCURRENT: i16 = 51;
const INVALID_STATE: i16 = 48;
const PARTITIONS: i32 = 50;
const PATIENCE: Duration = Duration::from_secs(60);

/// A transactional id and its producer.
type Producer<'a> = (&'a str, (i64, i16));

fn topic(wire: &mut Wire) -> String {
    let topic = unique("many");
    assert_eq!(wire.create(&topic, PARTITIONS, 1, &[]), 0);
    topic
}

/// A producer whose transaction has just been told to be committed.
fn committing(wire: &mut Wire, topic: &str) -> (String, (i64, i16)) {
    let partitions: Vec<_> = (0..PARTITIONS).collect();
    let (id, producer) = wire.producer();
    let added = patiently(&[3], || {
        let codes = wire.add_partitions(&id, producer, topic, &partitions);
        (codes.into_iter().max().unwrap_or(-1), ())
    });
    assert_eq!(added.0, 0);
    assert_eq!(wire.end(&id, producer, true), 0);
    (id, producer)
}

/// Asks right after a commit until the answer is to wait, and then until it is another.
fn waits(ask: impl Fn(&mut Wire, Producer<'_>) -> i16) -> i16 {
    let mut wire = Wire::new();
    let topic = topic(&mut wire);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (id, producer) = committing(&mut wire, &topic);
        let code = ask(&mut wire, (&id, producer));
        if code == CONCURRENT {
            return patiently(&[CONCURRENT], || (ask(&mut wire, (&id, producer)), ())).0;
        }
        assert_eq!(code, 0, "neither to wait nor to go on");
        assert!(Instant::now() < deadline, "nobody is told to wait");
    }
}

/// `TransactionCoordinator.handleAddPartitionsToTransaction`
#[test]
fn partitions_of_the_next_transaction_wait_for_the_markers_of_this_one() {
    let code = waits(|wire, (id, producer)| {
        let topic = wire.topic();
        wire.add_partitions(id, producer, &topic, &[0])[0]
    });
    assert_eq!(code, 0);
}

/// `KafkaApis.handleAddOffsetsToTxnRequest`
#[test]
fn offsets_of_the_next_transaction_wait_for_the_markers_of_this_one() {
    assert_eq!(
        waits(|wire, (id, producer)| wire.add_offsets(id, producer, "g")),
        0
    );
}

/// `TransactionCoordinator.endTransaction`: it is the same end, which is answered when it is complete.
#[test]
fn a_commit_that_is_repeated_waits_for_the_markers() {
    assert_eq!(
        waits(|wire, (id, producer)| wire.end(id, producer, true)),
        0
    );
}

/// `TransactionCoordinator.prepareInitProducerIdTransit`
#[test]
fn a_producer_that_comes_anew_waits_for_the_markers() {
    assert_eq!(
        waits(|wire, (id, _)| wire.initialise(id, 60_000, (-1, -1)).0),
        0
    );
}

/// `TransactionCoordinator.endTransaction`
#[test]
fn what_is_being_committed_is_not_aborted() {
    let mut wire = Wire::new();
    let topic = topic(&mut wire);
    let (id, producer) = committing(&mut wire, &topic);
    let mut abort = || patiently(&[CONCURRENT], || (wire.end(&id, producer, false), ())).0;
    // Whether the markers are there or not.
    assert_eq!(abort(), INVALID_STATE);
    assert_eq!(abort(), INVALID_STATE);
    let ended = patiently(&[CONCURRENT], || (wire.end(&id, producer, true), ()));
    assert_eq!(ended.0, 0);
}
