//! Committed offsets that nobody uses go after `offsets.retention.minutes`, of which one is the least.

use std::time::Duration;

use kafka_protocol::messages::JoinGroupRequest;

use crate::kafka::own;
use crate::wire::{Wire, patiently};

/// Longer than the case takes: nobody sends heartbeats.
const SESSION: i32 = 600_000;

/// A new member of a group, which has committed an offset of 3.
fn member(wire: &mut Wire, group: &str, topic: &str) -> String {
    let patient = |request: JoinGroupRequest| request.with_session_timeout_ms(SESSION);
    let asked = wire.join_with(group, "", patient);
    let joined = wire.join_with(group, &asked.member_id, patient);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let id = joined.member_id.to_string();
    assert_eq!(wire.sync(group, &id, 1, &[&id]).0, 0);
    assert_eq!(wire.commit(group, &id, 1, topic), 0);
    id
}

/// `ClassicGroup.offsetExpirationCondition`: those of nobody's group go by the time of their commit, those of a group whose
/// last member has left by the time when it left, and those of a group with members stay.
#[test]
fn offsets_that_nobody_uses_expire() {
    let settings = [
        ("offsets.retention.minutes", "1"),
        ("offsets.retention.check.interval.ms", "500"),
    ];
    let Some(kafka) = own(&settings) else { return };
    let mut wire = Wire::to(kafka.address());
    let topic = wire.topic();
    let [plain, left, live] = [(); 3].map(|()| wire.group());
    let gone = member(&mut wire, &left, &topic);
    let stays = member(&mut wire, &live, &topic);
    assert_eq!(wire.commit_plainly(&plain, &topic, 0, 3), 0);
    let offsets =
        |wire: &mut Wire| [&plain, &left, &live].map(|group| wire.committed(group, &topic, true));
    let soon = |wire: &mut Wire, expected: [(i16, i64); 3]| {
        let reached = patiently(&[-1], || {
            let found = offsets(wire);
            (if found == expected { 0 } else { -1 }, found)
        });
        assert_eq!(reached.1, expected, "plain, left, live");
    };
    let (there, none) = ((0, 3), (0, -1));

    kafka.let_pass(Duration::from_secs(40));
    assert_eq!(offsets(&mut wire), [there; 3], "before the minute is over");
    assert_eq!(wire.leave(&left, &gone), 0);
    kafka.let_pass(Duration::from_secs(25));
    soon(&mut wire, [none, there, there]);
    kafka.let_pass(Duration::from_secs(40));
    soon(&mut wire, [none, none, there]);
    assert_eq!(wire.heartbeat(&live, &stays, 1), 0);
}
