//! Topics.

use crate::wire::{Wire, unique};

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
