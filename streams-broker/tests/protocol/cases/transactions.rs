//! Transactions: who may do what when.

use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, GroupId, OffsetFetchRequest, TransactionalId,
};

use crate::wire::{Wire, batch, patiently, text, unique};

#[test]
fn an_older_epoch_is_fenced_everywhere() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, old) = wire.producer();
    assert_eq!(wire.add_partitions(&id, old, &topic, &[0]), [0]);
    // An open transaction is aborted first; then the epoch is two further.
    assert_eq!(wire.initialise(&id, 60_000, (-1, -1)).0, 51);
    let (code, new) = patiently(&[51], || wire.initialise(&id, 60_000, (-1, -1)));
    assert_eq!((code, new), (0, (old.0, old.1 + 2)));
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(old, 0, 1, true))
            .0,
        47
    );
    assert_eq!(wire.add_partitions(&id, old, &topic, &[0]), [47]);
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    assert_eq!(wire.add_offsets(&id, old, &group), 47);
    let refused = patiently(&[14, 15, 16], || {
        (wire.commit_offset(&id, old, &group, &topic, 1), ())
    });
    assert_eq!(refused.0, 47);
    assert_eq!(wire.end(&id, old, true), 47);
    assert_eq!(wire.initialise(&id, 60_000, old).0, 90);
    // A later epoch is no better, and a foreign producer is none of this id's.
    let later = (new.0, new.1 + 1);
    assert_eq!(wire.add_partitions(&id, later, &topic, &[0]), [47]);
    assert_eq!(wire.end(&id, later, true), 47);
    assert_eq!(wire.end(&id, (new.0 + 1_000_000, new.1), true), 49);
    // With nothing open the epoch goes up by one.
    assert_eq!(
        wire.initialise(&id, 60_000, (-1, -1)),
        (0, (new.0, new.1 + 1))
    );
}

#[test]
fn what_is_not_registered_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.end(&id, producer, true), 48);
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 1, true))
            .0,
        48
    );
    assert_eq!(
        wire.commit_offset(&id, producer, &unique("g"), &topic, 1),
        48
    );
}

#[test]
fn partitions_are_added_all_or_none() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(
        wire.add_partitions(&id, producer, &topic, &[0, 99]),
        [55, 3]
    );
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 1, true))
            .0,
        48
    );
}

#[test]
fn an_end_may_be_repeated_but_not_changed() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    assert_eq!(wire.end(&id, producer, true), 0);
    assert_eq!(
        patiently(&[51], || (wire.end(&id, producer, true), ())).0,
        0
    );
    assert_eq!(wire.end(&id, producer, false), 48);
}

#[test]
fn every_registered_partition_gets_a_marker() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0, 1]), [0, 0]);
    assert_eq!(
        wire.produce(Some(&id), &topic, 0, &batch(producer, 0, 3, true)),
        (0, 0)
    );
    let open = wire.fetch(&topic, 0, 0, 1);
    assert_eq!((open.last_stable_offset, open.high_watermark), (0, 3));
    assert_eq!(wire.end(&id, producer, false), 0);
    wire.until_stable(&topic, 0, 4);
    // One record was there before, of which this transaction knows nothing.
    wire.until_stable(&topic, 1, 2);
    let aborted = |data: PartitionData| {
        let list = data.aborted_transactions?;
        Some(
            list.iter()
                .map(|aborted| (aborted.producer_id.0, aborted.first_offset))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        aborted(wire.fetch(&topic, 0, 0, 1)),
        Some(vec![(producer.0, 0)])
    );
    assert_eq!(aborted(wire.fetch(&topic, 1, 0, 1)).unwrap_or_default(), []);
    assert_eq!(aborted(wire.fetch(&topic, 0, 0, 0)), None);
    let marker = wire.fetch(&topic, 1, 1, 0).records.unwrap();
    // Key `0,0,0,0` for an abort, value of six bytes, one offset.
    assert_eq!(
        (marker[7], marker[61 + 5..61 + 9].to_vec(), marker.len()),
        (1, vec![0, 0, 0, 0], 78)
    );
}

#[test]
fn offsets_are_unstable_until_the_end() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let (id, producer) = wire.producer();
    assert_eq!(
        patiently(&[14, 15, 16], || wire.committed(&group, &topic, true)),
        (0, -1)
    );
    assert_eq!(wire.add_offsets(&id, producer, &group), 0);
    assert_eq!(wire.commit_offset(&id, producer, &group, &topic, 5), 0);
    assert_eq!(wire.committed(&group, &topic, true), (88, -1));
    assert_eq!(wire.committed(&group, &topic, false), (0, -1));
    assert_eq!(wire.end(&id, producer, true), 0);
    assert_eq!(
        patiently(&[88], || wire.committed(&group, &topic, true)),
        (0, 5)
    );
    // A new producer drops what the one before left pending.
    assert_eq!(
        patiently(&[51], || (wire.add_offsets(&id, producer, &group), ())).0,
        0
    );
    assert_eq!(wire.commit_offset(&id, producer, &group, &topic, 9), 0);
    assert_eq!(wire.initialise(&id, 60_000, (-1, -1)).0, 51);
    assert_eq!(
        patiently(&[88], || wire.committed(&group, &topic, true)),
        (0, 5)
    );
}

#[test]
fn a_timeout_must_be_one() {
    let mut wire = Wire::new();
    let (id, _) = wire.producer();
    for timeout in [0, 900_001] {
        assert_eq!(wire.initialise(&id, timeout, (-1, -1)).0, 50);
    }
}

/// An id or a group that is there and says nothing is a mistake, and not one that nobody knows.
#[test]
fn empty_names_are_refused() {
    const INVALID_REQUEST: i16 = 42;
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let added = wire.add_partitions("", producer, &topic, &[0]);
    assert_eq!(added, [INVALID_REQUEST]);
    let group = unique("g");
    assert_eq!(wire.add_offsets("", producer, &group), INVALID_REQUEST);
    assert_eq!(wire.end("", producer, true), INVALID_REQUEST);
    let described = DescribeTransactionsRequest::default()
        .with_transactional_ids(vec![TransactionalId(text(""))]);
    let answer = wire.ask(0, described);
    assert_eq!(answer.transaction_states[0].error_code, INVALID_REQUEST);
    let nameless = patiently(&[14, 15, 16], || {
        (wire.commit_offset(&id, producer, "", &topic, 1), ())
    });
    assert_eq!(nameless.0, 24);
}

#[test]
fn the_coordinators_topics_are_in_nobodys_transaction() {
    let mut wire = Wire::new();
    let (id, producer) = wire.producer();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let added = wire.add_partitions(&id, producer, "__consumer_offsets", &[0]);
    assert_eq!(added, [29]);
}

/// Of an offset that waits for its transaction nothing is told where all are asked for.
#[test]
fn pending_offsets_are_not_among_all() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let (id, producer) = wire.producer();
    let added = patiently(&[14, 15, 16, 51], || {
        (wire.add_offsets(&id, producer, &group), ())
    });
    assert_eq!(added.0, 0);
    let kept = patiently(&[14, 15, 16], || {
        let code = wire.commit_offset(&id, producer, &group, &topic, 9);
        (code, ())
    });
    assert_eq!(kept.0, 0);
    for stable in [false, true] {
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(&group)))
            .with_topics(None)
            .with_require_stable(stable);
        let answer = wire.ask(7, request);
        assert_eq!((answer.error_code, answer.topics.len()), (0, 0));
    }
    assert_eq!(wire.end(&id, producer, false), 0);
}

/// `UnifiedLog.read`: of what is not stable nothing is told, not even what was aborted there.
#[test]
fn where_nothing_is_read_no_aborted_transaction_is_told() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let begin = |wire: &mut Wire, offset| {
        let (id, producer) = wire.producer();
        let added = patiently(&[51], || {
            (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
        });
        assert_eq!(added.0, 0);
        let records = batch(producer, 0, 2, true);
        assert_eq!(wire.produce(Some(&id), &topic, 0, &records), (0, offset));
        (id, producer)
    };
    let first = begin(&mut wire, 0);
    let (second, producer) = begin(&mut wire, 2);
    assert_eq!(wire.end(&second, producer, false), 0);
    let ended = patiently(&[-1], || {
        let end = wire.list(&topic, 0, -1).2;
        (if end == 5 { 0 } else { -1 }, ())
    });
    assert_eq!(ended.0, 0, "the marker is there");
    let read = wire.fetch(&topic, 0, 3, 1);
    assert_eq!((read.error_code, read.last_stable_offset), (0, 0));
    assert!(read.records.unwrap_or_default().is_empty());
    assert!(read.aborted_transactions.unwrap_or_default().is_empty());
    assert_eq!(wire.end(&first.0, first.1, true), 0);
    wire.until_stable(&topic, 0, 6);
    let read = wire.fetch(&topic, 0, 3, 1);
    assert_eq!(read.aborted_transactions.unwrap_or_default().len(), 1);
}

/// `TransactionIndex`: aborted transactions are told in the order in which they ended.
#[test]
fn aborted_transactions_are_told_in_the_order_of_their_ends() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let open = [0, 1, 2].map(|offset| {
        let (id, producer) = wire.producer();
        let added = patiently(&[51], || {
            (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
        });
        assert_eq!(added.0, 0);
        let records = batch(producer, 0, 1, true);
        assert_eq!(wire.produce(Some(&id), &topic, 0, &records), (0, offset));
        (id, producer)
    });
    for (ended, first) in [1, 2, 0].into_iter().enumerate() {
        let (id, producer) = &open[first];
        assert_eq!(wire.end(id, *producer, false), 0);
        let end = 4 + i64::try_from(ended).unwrap();
        let reached = patiently(&[-1], || {
            let found = wire.list(&topic, 0, -1).2;
            (if found == end { 0 } else { -1 }, found)
        });
        assert_eq!(reached, (0, end), "the marker is there");
    }
    wire.until_stable(&topic, 0, 6);
    let aborted = wire.fetch(&topic, 0, 0, 1).aborted_transactions;
    let aborted = aborted.unwrap_or_default();
    let starts: Vec<_> = aborted.iter().map(|one| one.first_offset).collect();
    assert_eq!(starts, [1, 2, 0]);
}
