//! What a restart leaves of what producers and members were told before.

use crate::kafka::own;
use crate::wire::{Wire, batch, patiently};

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
