//! What producers may write where, and how they recover: a case a rule.

use std::time::{Duration, Instant};

use crate::wire::{Wire, batch, patiently, unique};

const CONCURRENT: i16 = 51;

/// `ProducerAppendInfo.appendDataBatch`: the record would lie inside the transaction and not belong to it.
#[test]
fn a_plain_batch_of_a_producer_with_an_open_transaction_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    let send = |wire: &mut Wire, id, sequence, transactional| {
        let records = batch(producer, sequence, 1, transactional);
        wire.produce(id, &topic, 0, &records).0
    };
    assert_eq!(send(&mut wire, Some(&*id), 0, true), 0);
    assert_eq!(send(&mut wire, Some(&*id), 1, false), 48);
    assert_eq!(send(&mut wire, None, 1, false), 48);
    assert_eq!(send(&mut wire, None, 1, true), 53, "without an id");
    assert_eq!(send(&mut wire, Some(&*id), 1, true), 0);
    assert_eq!(wire.list(&topic, 0, -1).2, 2);
}

/// `LogValidator.validateBatch`: without a sequence there is no check for duplicates.
#[test]
fn a_producer_without_a_sequence_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, epoch) = wire.idempotent_producer();
    for epoch in [epoch, -1] {
        let records = batch((id, epoch), -1, 1, false);
        assert_eq!(wire.produce(None, &topic, 0, &records), (87, -1));
    }
    let records = batch((id, epoch), 0, 1, false);
    assert_eq!(wire.produce(None, &topic, 0, &records), (0, 0));
}

/// `ProducerAppendInfo.checkSequence` with `transaction.version` 2: what overtook an earlier batch waits for it.
#[test]
fn a_producers_first_batch_in_a_transaction_of_version_2_has_sequence_0() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let send = |wire: &mut Wire, sequence| {
        let records = batch(producer, sequence, 1, true);
        patiently(&[CONCURRENT], || {
            wire.produce_as(12, -1, Some(&id), &topic, 0, &records)
        })
    };
    assert_eq!(send(&mut wire, 1).0, 45);
    assert_eq!(send(&mut wire, 0), (0, 0));
    assert_eq!(send(&mut wire, 1), (0, 1));
}

/// `VerificationStateEntry`: of batches in flight of which the first was refused, the second does not overtake it.
#[test]
fn what_was_refused_before_a_transactions_first_batch_is_waited_for() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    let send = |wire: &mut Wire, sequence| {
        let records = batch(producer, sequence, 1, true);
        wire.produce(Some(&id), &topic, 0, &records)
    };
    // A broker that has just started asks its coordinator in vain.
    let refused = patiently(&[19], || send(&mut wire, 3));
    assert_eq!(refused, (48, -1), "not registered");
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    assert_eq!(send(&mut wire, 10), (45, -1));
    assert_eq!(send(&mut wire, 4), (45, -1));
    assert_eq!(send(&mut wire, 3), (0, 0));
    assert_eq!(send(&mut wire, 4), (0, 1));
    assert_eq!(send(&mut wire, 3), (0, 0), "a repeated one");
    assert_eq!(wire.end(&id, producer, true), 0);
    // Before the marker it may be taken for one of the transaction that ends.
    wire.until_stable(&topic, 0, 3);
    // So it is with the next transaction.
    assert_eq!(send(&mut wire, 5), (48, -1));
    let added = patiently(&[CONCURRENT], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(added.0, 0);
    assert_eq!(send(&mut wire, 5), (0, 3));
    assert_eq!(wire.end(&id, producer, true), 0);
    wire.until_stable(&topic, 0, 5);
    // An epoch that the partition knows to be over is told first.
    assert_eq!(send(&mut wire, 6), (48, -1));
    let raised = batch((producer.0, producer.1 + 1), 0, 1, false);
    assert_eq!(wire.produce(None, &topic, 0, &raised), (0, 5));
    let added = patiently(&[CONCURRENT], || {
        (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
    });
    assert_eq!(added.0, 0);
    assert_eq!(send(&mut wire, 7), (47, -1));
}

/// KIP-360: whoever has the epoch that the broker aborted gets the next one, as often as it asks.
#[test]
fn a_producer_goes_on_after_the_broker_aborted_its_transaction() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    assert_eq!(wire.initialise(&id, 60_000, producer).0, CONCURRENT);
    let next = (0, (producer.0, producer.1 + 1));
    for _ in 0..2 {
        let answer = patiently(&[CONCURRENT], || wire.initialise(&id, 60_000, producer));
        assert_eq!(answer, next);
    }
    // Another one that initialises itself ends that.
    assert_eq!(
        wire.initialise(&id, 60_000, (-1, -1)),
        (0, (producer.0, producer.1 + 2))
    );
    assert_eq!(wire.initialise(&id, 60_000, producer).0, 90);
}

/// The same after `transaction.timeout.ms`.
#[test]
fn a_producer_goes_on_after_its_transaction_timed_out() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, _) = wire.producer();
    let (code, producer) = wire.initialise(&id, 100, (-1, -1));
    assert_eq!(code, 0);
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !matches!(wire.add_partitions(&id, producer, &topic, &[0])[0], 47 | 90) {
        assert!(Instant::now() < deadline, "the transaction is still open");
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = patiently(&[CONCURRENT], || wire.initialise(&id, 60_000, producer));
    assert_eq!(answer, (0, (producer.0, producer.1 + 1)));
}

/// `TransactionCoordinator.prepareInitProducerIdTransit` looks at the epoch only where no transaction is open.
#[test]
fn an_initialisation_with_an_old_epoch_aborts_the_open_transaction() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, old) = wire.producer();
    let (_, producer) = wire.initialise(&id, 60_000, (-1, -1));
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    assert_eq!(wire.initialise(&id, 60_000, old).0, CONCURRENT);
    let ended = patiently(&[CONCURRENT], || (wire.end(&id, producer, true), ()));
    assert_eq!(ended.0, 47);
    let answer = patiently(&[CONCURRENT], || wire.initialise(&id, 60_000, old));
    assert_eq!(answer.0, 90);
}

/// `OffsetMetadataManager.replayEndTransactionMarker`: the one that was written last holds, whatever ends when.
#[test]
fn an_offset_of_a_transaction_does_not_replace_one_that_was_written_later() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let pending = |wire: &mut Wire, offset| {
        let (id, producer) = wire.producer();
        let added = patiently(&[14, 15, 16, CONCURRENT], || {
            (wire.add_offsets(&id, producer, &group), ())
        });
        assert_eq!(added.0, 0);
        let kept = patiently(&[14, 15, 16], || {
            (
                wire.commit_offset(&id, producer, &group, &topic, offset),
                (),
            )
        });
        assert_eq!(kept.0, 0);
        (id, producer)
    };
    let (first, second) = (pending(&mut wire, 9), pending(&mut wire, 5));
    for (id, producer) in [second, first] {
        assert_eq!(wire.end(&id, producer, true), 0);
    }
    let stable = patiently(&[88], || wire.committed(&group, &topic, true));
    assert_eq!(stable, (0, 5));
}

/// A typo in a partition is told, not kept.
#[test]
fn an_offset_of_a_partition_that_does_not_exist_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let mut commit = |partition| {
        patiently(&[14, 15, 16], || {
            (wire.commit_plainly(&group, &topic, partition, 7), ())
        })
    };
    assert_eq!(commit(77).0, 3);
    assert_eq!(commit(1).0, 0);
}

/// Read-committed readers of a partition whose open transaction was deleted stand at its start.
#[test]
fn where_an_open_transaction_was_deleted_whole_the_start_is_stable() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    let records = batch(producer, 0, 3, true);
    assert_eq!(wire.produce(Some(&id), &topic, 0, &records), (0, 0));
    assert_eq!(wire.delete(&topic, 0, 3), (0, 3));
    assert_eq!(wire.list_committed(&topic, 0, -1), (0, -1, 3));
    let read = wire.fetch(&topic, 0, 3, 1);
    assert_eq!((read.error_code, read.last_stable_offset), (0, 3));
}

/// `UnifiedLog.maybeIncrementFirstUnstableOffset`: of a batch of which the first records were deleted nothing is read before
/// its transaction ends.
#[test]
fn the_rest_of_an_open_transactions_batch_is_not_stable() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, producer) = wire.producer();
    assert_eq!(wire.add_partitions(&id, producer, &topic, &[0]), [0]);
    let records = batch(producer, 0, 3, true);
    assert_eq!(wire.produce(Some(&id), &topic, 0, &records), (0, 0));
    assert_eq!(wire.delete(&topic, 0, 2), (0, 2));
    let read = wire.fetch(&topic, 0, 2, 1);
    assert_eq!((read.error_code, read.last_stable_offset), (0, 0));
    assert!(read.records.unwrap_or_default().is_empty());
    assert_eq!(wire.end(&id, producer, false), 0);
    let ended = patiently(&[-1], || {
        let read = wire.fetch(&topic, 0, 2, 1);
        (if read.last_stable_offset == 4 { 0 } else { -1 }, read)
    });
    let aborted = ended.1.aborted_transactions.unwrap_or_default();
    assert_eq!((ended.0, aborted.len()), (0, 1));
}
