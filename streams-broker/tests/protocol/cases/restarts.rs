//! What a restart leaves of what producers and members were told before.

use std::time::Duration;

use kafka_protocol::messages::{DescribeGroupsRequest, GroupId};

use super::consumer_groups::{FIRST, joining, staying};
use crate::kafka::own;
use crate::wire::{RawBatch, Wire, batch, now, patiently, record, text};

const NOT_YET: [i16; 4] = [14, 15, 16, 51];
const FENCED: i16 = 90;
const OUT_OF_ORDER: i16 = 45;

/// `TransactionLogValue` has no epoch but the last: a repeated request is not known again by a new coordinator.
#[test]
fn an_epoch_that_was_raised_before_a_restart_is_not_given_twice() {
    let Some(broker) = own(&[]) else { return };
    let mut wire = Wire::to(broker.address());
    let (id, first) = wire.producer();
    let second = (first.0, first.1 + 1);
    for _ in 0..2 {
        assert_eq!(wire.initialise(&id, 60_000, first), (0, second));
    }
    broker.restart();
    let mut wire = Wire::to(broker.address());
    let repeated = patiently(&NOT_YET, || wire.initialise(&id, 60_000, first));
    assert_eq!(repeated.0, FENCED);
    assert_eq!(
        wire.initialise(&id, 60_000, second),
        (0, (first.0, first.1 + 2))
    );
}

/// `ProducerStateManager.writeSnapshot`: of each producer the last batch alone; and nothing of what was refused before a
/// transaction's first batch (`VerificationStateEntry`).
#[test]
fn of_each_producer_the_last_batch_is_known_after_a_restart() {
    let Some(broker) = own(&[]) else { return };
    let mut wire = Wire::to(broker.address());
    let (plain, other) = (wire.topic(), wire.topic());
    let producer = wire.idempotent_producer();
    let send = |wire: &mut Wire, sequence| {
        let records = batch(producer, sequence, 1, false);
        wire.produce(None, &plain, 0, &records)
    };
    for sequence in 0..3 {
        assert_eq!(send(&mut wire, sequence).0, 0);
    }
    assert_eq!(send(&mut wire, 1), (0, 1));
    let (id, writer) = wire.producer();
    let write = |wire: &mut Wire, sequence| {
        let records = batch(writer, sequence, 1, true);
        patiently(&[14, 15, 16, 19], || {
            wire.produce(Some(&id), &other, 0, &records)
        })
    };
    assert_eq!(write(&mut wire, 3).0, 48, "not registered");
    assert_eq!(wire.add_partitions(&id, writer, &other, &[0]), [0]);
    assert_eq!(write(&mut wire, 7).0, OUT_OF_ORDER);
    broker.restart();
    let mut wire = Wire::to(broker.address());
    for topic in [&plain, &other] {
        let ready = patiently(&[3, 5, 6], || (wire.list(topic, 0, -1).0, ()));
        assert_eq!(ready.0, 0);
    }
    assert_eq!(send(&mut wire, 2), (0, 2));
    assert_eq!(send(&mut wire, 1).0, OUT_OF_ORDER);
    assert_eq!(send(&mut wire, 3), (0, 3));
    assert_eq!(write(&mut wire, 7), (0, 0));
}

/// `ProducerStateManager.loadFromSnapshot` leaves out who has written nothing for `producer.id.expiration.ms`, by the
/// records' own time; `truncateAndReload` deletes the snapshots that are not above the log's start.
#[test]
fn producers_of_old_or_deleted_records_are_not_known_after_a_restart() {
    let Some(broker) = own(&[]) else { return };
    let mut wire = Wire::to(broker.address());
    let topics = [(); 3].map(|()| wire.topic());
    let [old, deleted, partly] = &topics;
    let producer = wire.idempotent_producer();
    let of = |time| {
        let batch = RawBatch {
            time,
            producer,
            sequence: 0,
            ..RawBatch::of(record(0, 0, None))
        };
        batch.bytes()
    };
    let (long_ago, present) = (of(1_000_000_000_000), of(now()));
    let send = |wire: &mut Wire, topic: &str| {
        let records = if topic == old { &long_ago } else { &present };
        patiently(&[3, 5, 6], || wire.produce(None, topic, 0, records))
    };
    for topic in &topics {
        assert_eq!(send(&mut wire, topic), (0, 0));
    }
    let later = batch((-1, -1), -1, 1, false);
    assert_eq!(wire.produce(None, partly, 0, &later), (0, 1));
    for topic in [deleted, partly] {
        assert_eq!(wire.delete(topic, 0, 1), (0, 1));
    }
    for topic in &topics {
        assert_eq!(send(&mut wire, topic), (0, 0), "it is known");
    }
    broker.restart();
    let mut wire = Wire::to(broker.address());
    let sent = [old, deleted, partly].map(|topic| send(&mut wire, topic));
    assert_eq!(sent, [(0, 1), (0, 1), (0, 0)]);
}

/// A group's log has generations that were complete, and of a consumer group everything.
#[test]
fn what_groups_are_told_after_a_restart() {
    let Some(broker) = own(&[]) else { return };
    let mut wire = Wire::to(broker.address());
    let topic = wire.topic();
    let [joining_only, emptied] = [(); 2].map(|()| wire.group());
    let asked = wire.join(&joining_only, "");
    assert_eq!(wire.join(&joining_only, &asked.member_id).generation_id, 1);
    let first = wire.beat(&joining(&emptied, "a", &topic));
    assert_eq!((first.error_code, first.member_epoch), (0, FIRST));
    let mut leaving = staying(&emptied, "a", FIRST, None);
    leaving.member_epoch = -1;
    assert_eq!(wire.beat(&leaving).error_code, 0);
    broker.restart();
    let mut wire = Wire::to(broker.address());
    let groups = vec![GroupId(text(&joining_only))];
    let request = DescribeGroupsRequest::default().with_groups(groups);
    let (code, group) = patiently(&NOT_YET, || {
        let group = wire.ask(5, request.clone()).groups.remove(0);
        (group.error_code, group)
    });
    let described = (code, &*group.group_state, &*group.protocol_type);
    assert_eq!(described, (0, "Empty", ""));
    // The interval between assignments has passed, so that the newcomer gets its own at once.
    broker.let_pass(Duration::from_secs(1));
    let again = wire.beat(&joining(&emptied, "a", &topic));
    assert_eq!((again.error_code, again.member_epoch), (0, FIRST + 2));
}
