//! What a restart leaves of what producers and members were told before.

use crate::kafka::own;
use crate::wire::{Wire, patiently};

const NOT_YET: [i16; 4] = [14, 15, 16, 51];
const FENCED: i16 = 90;

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
