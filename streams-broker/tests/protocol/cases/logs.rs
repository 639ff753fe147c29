//! What a partition takes and gives.

use bytes::BytesMut;

use crate::wire::{Wire, batch, batch_at, now, patiently, unique};

#[test]
fn sequences_have_no_gaps_and_no_doubles() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (id, _) = wire.idempotent_producer();
    // A producer that the partition doesn't know may start anywhere.
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 7, 2, false)),
        (0, 0)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 9, 2, false)),
        (0, 2)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 7, 2, false)),
        (0, 0)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 12, 1, false))
            .0,
        45
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 1), 11, 1, false))
            .0,
        45
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 1), 0, 1, false)),
        (0, 4)
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((id, 0), 11, 1, false))
            .0,
        47
    );
}

#[test]
fn fetches_beyond_the_log_are_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let above = wire.fetch(&topic, 1, 2, 0);
    assert_eq!(
        (
            above.error_code,
            above.high_watermark,
            above.last_stable_offset
        ),
        (1, -1, -1)
    );
    assert_eq!(wire.fetch(&topic, 1, 1, 0).error_code, 0);
    assert_eq!(wire.fetch(&topic, 9, 0, 0).error_code, 3);
}

#[test]
fn a_damaged_batch_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let mut damaged = BytesMut::from(batch((-1, -1), -1, 1, false).as_ref());
    damaged[63] ^= 1;
    assert_eq!(wire.produce(None, &topic, 0, &damaged.freeze()).0, 2);
}

#[test]
fn a_produce_must_make_sense() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let one = batch((-1, -1), -1, 1, false);
    let mut two = BytesMut::from(one.as_ref());
    two.extend_from_slice(&one);
    assert_eq!(wire.produce(None, &topic, 0, &two.freeze()).0, 87);
    assert_eq!(wire.produce(None, &unique("nothing"), 0, &one).0, 3);
    assert_eq!(wire.produce(None, &topic, 9, &one).0, 3);
    assert_eq!(wire.produce_acks(2, None, &topic, 0, &one).0, 21);
    let small = unique("small");
    assert_eq!(
        wire.create(&small, 1, 1, &[("max.message.bytes", "100")]),
        0
    );
    let large = batch((-1, -1), -1, 60, false);
    assert_eq!(
        patiently(&[3, 5, 6], || wire.produce(None, &small, 0, &large)).0,
        10
    );
}

#[test]
fn offsets_are_listed_by_time_and_by_place() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.alter(&topic, "retention.ms", 0, "-1"), 0);
    assert_eq!(wire.produce(None, &topic, 0, &batch_at(1_000, 3)), (0, 0));
    assert_eq!(wire.produce(None, &topic, 0, &batch_at(5_000, 3)), (0, 3));
    assert_eq!(wire.list(&topic, 0, -1), (0, -1, 6));
    assert_eq!(wire.list(&topic, 0, -2), (0, -1, 0));
    assert_eq!(wire.list(&topic, 0, 1_000), (0, 1_000, 0));
    assert_eq!(wire.list(&topic, 0, 1_001), (0, 5_000, 3));
    assert_eq!(wire.list(&topic, 0, 5_001), (0, -1, -1));
    assert_eq!(wire.list(&topic, 0, -3).2, 3);
    assert_eq!(wire.list(&topic, 9, -1).0, 3);
}

#[test]
fn deleted_records_are_below_the_start() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(
        wire.produce(None, &topic, 0, &batch((-1, -1), -1, 5, false))
            .0,
        0
    );
    assert_eq!(wire.delete(&topic, 0, 3), (0, 3));
    assert_eq!(wire.list(&topic, 0, -2), (0, -1, 3));
    assert_eq!(wire.fetch(&topic, 0, 2, 0).error_code, 1);
    let from = wire.fetch(&topic, 0, 3, 0);
    assert_eq!(
        (from.error_code, from.log_start_offset, from.high_watermark),
        (0, 3, 5)
    );
    assert_eq!(wire.delete(&topic, 0, 6), (1, -1));
    assert_eq!(wire.delete(&topic, 0, -1), (0, 5));
    assert_eq!(wire.delete(&topic, 0, 1), (0, 5));
    assert_eq!(wire.delete(&topic, 9, 1), (3, -1));
    assert_eq!(wire.delete("__consumer_offsets", 0, 0), (17, -1));
}

#[test]
fn a_record_of_a_far_future_is_refused() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let hour = 3_600_000;
    assert_eq!(
        wire.produce(None, &topic, 0, &batch_at(now() + 2 * hour, 1))
            .0,
        32
    );
    assert_eq!(
        wire.produce(None, &topic, 0, &batch_at(now() + hour / 2, 1))
            .0,
        0
    );
    assert_eq!(wire.produce(None, &topic, 0, &batch_at(0, 1)).0, 0);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let mut wire = Wire::new();
    let topic = unique("compacted");
    assert_eq!(
        wire.create(&topic, 1, 1, &[("cleanup.policy", "compact")]),
        0
    );
    let refused = patiently(&[3, 5, 6], || {
        wire.produce(None, &topic, 0, &batch((-1, -1), -1, 1, false))
    });
    assert_eq!(refused.0, 87);
}
