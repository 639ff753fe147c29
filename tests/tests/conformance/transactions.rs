//! What a transaction shows to readers, and what ends it.

use std::collections::BTreeSet;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use streams_tests::{Isolation, Sender, TestCluster, wait_until};

use crate::{SOON, cluster, code, texts};

#[test]
fn a_commit_ends_each_partition_with_a_marker_that_takes_one_offset() {
    let topic = cluster().topic("commit", 2);
    let sender = Sender::transactional(cluster(), &topic, &[]);
    for round in 0..2 {
        sender.begin();
        sender.text(&topic, 0, &format!("a{round}"));
        sender.text(&topic, 0, &format!("b{round}"));
        sender.text(&topic, 1, &format!("c{round}"));
        sender.commit();
    }
    let records = cluster().read_committed(&topic);
    let offsets: BTreeSet<_> = records
        .iter()
        .map(|record| (record.partition, record.offset, record.text()))
        .collect();
    let expected = [
        (0, 0, "a0"),
        (0, 1, "b0"),
        (0, 3, "a1"),
        (0, 4, "b1"),
        (1, 0, "c0"),
        (1, 2, "c1"),
    ];
    assert_eq!(offsets, expected.into_iter().collect());
    wait_until("both markers are there", SOON, || {
        cluster().end_offsets(&topic, Isolation::Committed) == [6, 4]
    });
}

#[test]
fn an_aborted_transaction_is_seen_by_read_uncommitted_alone() {
    let topic = cluster().topic("abort", 1);
    let sender = Sender::transactional(cluster(), &topic, &[]);
    for (value, committed) in [("a", true), ("x", false), ("b", true), ("y", false)] {
        sender.begin();
        sender.text(&topic, 0, value);
        if committed {
            sender.commit()
        } else {
            sender.abort()
        }
    }
    assert_eq!(texts(&cluster().read_committed(&topic)), ["a", "b"]);
    assert_eq!(
        texts(&cluster().read(&topic, Isolation::Uncommitted)),
        ["a", "x", "b", "y"]
    );
}

#[test]
fn an_open_transaction_holds_back_what_was_written_after_it() {
    let topic = cluster().topic("stable", 1);
    let (open, plain) = (
        Sender::transactional(cluster(), &topic, &[]),
        Sender::new(cluster(), &[]),
    );
    plain.text(&topic, 0, "before");
    plain.flush();
    open.begin();
    open.text(&topic, 0, "open");
    open.flush();
    plain.text(&topic, 0, "after");
    plain.flush();
    // The last stable offset is the first one of the earliest open transaction.
    assert_eq!(cluster().end_offsets(&topic, Isolation::Committed), [1]);
    assert_eq!(cluster().end_offsets(&topic, Isolation::Uncommitted), [3]);
    assert_eq!(
        texts(&cluster().read(&topic, Isolation::Committed)),
        ["before"]
    );
    assert_eq!(
        texts(&cluster().read(&topic, Isolation::Uncommitted)),
        ["before", "open", "after"]
    );
    open.commit();
    assert_eq!(
        texts(&cluster().read_committed(&topic)),
        ["before", "open", "after"]
    );
}

#[test]
fn transactions_that_interleave_in_a_partition_are_told_apart() {
    let topic = cluster().topic("interleave", 1);
    let committed = Sender::transactional(cluster(), &format!("{topic}-a"), &[]);
    let aborted = Sender::transactional(cluster(), &format!("{topic}-b"), &[]);
    committed.begin();
    aborted.begin();
    for round in 0..3 {
        committed.text(&topic, 0, &format!("good{round}"));
        committed.flush();
        aborted.text(&topic, 0, &format!("bad{round}"));
        aborted.flush();
    }
    aborted.abort();
    assert_eq!(
        cluster().end_offsets(&topic, Isolation::Committed),
        [0],
        "the other one is still open"
    );
    committed.commit();
    assert_eq!(
        texts(&cluster().read_committed(&topic)),
        ["good0", "good1", "good2"]
    );
}

#[test]
fn a_second_producer_of_an_id_fences_the_first_and_aborts_its_transaction() {
    let topic = cluster().topic("fence", 1);
    let zombie = Sender::transactional(cluster(), &topic, &[]);
    zombie.begin();
    zombie.text(&topic, 0, "zombie");
    zombie.flush();
    let heir = Sender::transactional(cluster(), &topic, &[]);
    heir.begin();
    heir.text(&topic, 0, "heir");
    heir.commit();
    let error = zombie.producer().commit_transaction(SOON).unwrap_err();
    let fenced = [
        RDKafkaErrorCode::Fenced,
        RDKafkaErrorCode::Fatal,
        RDKafkaErrorCode::ProducerFenced,
    ];
    assert!(
        fenced.contains(&code(Err::<(), _>(error.clone()))),
        "{error}"
    );
    assert!(
        zombie
            .producer()
            .send(
                BaseRecord::<str, str>::to(&topic)
                    .partition(0)
                    .payload("late")
            )
            .is_err()
    );
    assert_eq!(texts(&cluster().read_committed(&topic)), ["heir"]);
}

#[test]
fn a_transaction_past_its_timeout_is_aborted_by_the_broker() {
    let topic = cluster().topic("timeout", 1);
    let sender = Sender::transactional(cluster(), &topic, &[("transaction.timeout.ms", "2000")]);
    sender.begin();
    sender.text(&topic, 0, "slow");
    sender.flush();
    let ends = || cluster().end_offsets(&topic, Isolation::Committed);
    assert_eq!(ends(), [0]);
    wait_until("the broker aborts it", SOON, || ends() == [2]);
    assert!(sender.producer().commit_transaction(SOON).is_err());
    assert_eq!(texts(&cluster().read_committed(&topic)), [""; 0]);
}

#[test]
fn a_transaction_timeout_above_the_brokers_maximum_is_refused() {
    let id = cluster().unique("too-long");
    let sender = Sender::new(
        cluster(),
        &[
            ("transactional.id", &id),
            ("transaction.timeout.ms", "900001"),
            ("message.timeout.ms", "900001"),
        ],
    );
    let error = code(sender.producer().init_transactions(SOON));
    assert_eq!(error, RDKafkaErrorCode::InvalidTransactionTimeout);
}

#[test]
fn an_open_transaction_survives_a_restart_and_can_be_committed() {
    let cluster = TestCluster::start();
    if !cluster.is_own() {
        return;
    }
    let topic = cluster.topic("restart", 1);
    let sender = Sender::transactional(&cluster, &topic, &[]);
    sender.begin();
    sender.text(&topic, 0, "first");
    sender.commit();
    sender.begin();
    sender.text(&topic, 0, "before");
    sender.flush();
    cluster.restart();
    assert_eq!(
        cluster.end_offsets(&topic, Isolation::Committed),
        [2],
        "the transaction is still open"
    );
    sender.text(&topic, 0, "after");
    sender.commit();
    assert_eq!(
        texts(&cluster.read_committed(&topic)),
        ["first", "before", "after"]
    );
}
