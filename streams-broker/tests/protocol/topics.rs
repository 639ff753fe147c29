//! Topics.

use crate::wire::{Wire, patiently, unique};

#[test]
fn topics_that_cannot_be_are_refused() {
    let mut wire = Wire::new();
    let name = unique("x.y");
    assert_eq!(wire.create(&name, 1, 1, &[]), 0);
    assert_eq!(wire.create(&name, 1, 1, &[]), 36);
    for bad in ["", ".", "a b", &"x".repeat(250), &name.replace('.', "_")] {
        assert_eq!(wire.create(bad, 1, 1, &[]), 17, "{bad}");
    }
    for partitions in [0, -2] {
        assert_eq!(wire.create(&unique("p"), partitions, 1, &[]), 37);
    }
    for replicas in [0, 3] {
        assert_eq!(wire.create(&unique("r"), 1, replicas, &[]), 38);
    }
    assert_eq!(
        wire.create(&unique("c"), 1, 1, &[("no.such.config", "1")]),
        40
    );
    assert_eq!(
        wire.create(&unique("c"), 1, 1, &[("retention.ms", "soon")]),
        40
    );
    assert_eq!(wire.create(&unique("d"), -1, -1, &[]), 0);
}

#[test]
fn partitions_can_only_be_added() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.grow(&topic, 2), 37);
    assert_eq!(wire.grow(&topic, 1), 37);
    assert_eq!(wire.grow(&topic, 4), 0);
    assert_eq!(wire.grow(&unique("nothing"), 4), 3);
}

#[test]
fn configurations_are_altered_one_by_one() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.alter(&topic, "retention.ms", 0, "5000"), 0);
    assert_eq!(wire.alter(&topic, "cleanup.policy", 2, "compact"), 0);
    let altered = patiently(&[-1], || {
        let policy = wire.config(&topic, "cleanup.policy");
        (if policy == "delete,compact" { 0 } else { -1 }, policy)
    });
    assert_eq!(altered.1, "delete,compact");
    assert_eq!(wire.config(&topic, "retention.ms"), "5000");
    assert_eq!(wire.alter(&topic, "cleanup.policy", 3, "delete"), 0);
    assert_eq!(wire.alter(&topic, "retention.ms", 1, ""), 0);
    let altered = patiently(&[-1], || {
        let retention = wire.config(&topic, "retention.ms");
        (if retention == "604800000" { 0 } else { -1 }, retention)
    });
    assert_eq!(altered.1, "604800000");
    assert_eq!(wire.config(&topic, "cleanup.policy"), "compact");
    assert_eq!(wire.alter(&topic, "no.such", 0, "1"), 40);
    assert_eq!(wire.alter(&topic, "retention.ms", 0, "soon"), 40);
    assert_eq!(wire.alter(&topic, "retention.ms", 2, "1"), 40);
    assert_eq!(wire.alter(&unique("nothing"), "retention.ms", 0, "1"), 3);
}
