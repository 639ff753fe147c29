//! Consumer groups: who gets which partitions, and who is let in.

use rdkafka::consumer::CommitMode;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use streams_tests::{Member, wait_until};

use crate::{SOON, at, cluster, code, settle};

#[test]
fn range_gives_the_same_partitions_of_two_topics_to_one_member() {
    let (one, two) = (
        cluster().topic("range-one", 4),
        cluster().topic("range-two", 4),
    );
    let group = cluster().unique("range");
    let first = Member::join(cluster(), &group, &[&one, &two], &[]);
    settle(&[&first], 8);
    let second = Member::join(cluster(), &group, &[&one, &two], &[]);
    settle(&[&first, &second], 8);
    for member in [&first, &second] {
        let of = |topic: &str| -> Vec<i32> {
            let partitions = member.partitions();
            partitions
                .into_iter()
                .filter(|(name, _)| name == topic)
                .map(|(_, partition)| partition)
                .collect()
        };
        assert_eq!(of(&one), of(&two));
        assert_eq!(of(&one).len(), 2);
    }
    drop(second);
    settle(&[&first], 8);
}

#[test]
fn a_member_that_falls_silent_loses_its_partitions_after_the_session_timeout() {
    let topic = cluster().topic("silent", 2);
    let first = Member::join(cluster(), &topic, &[&topic], &[]);
    // Its heartbeats come later than its session lasts.
    let silent = [
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "300"),
        ("max.poll.interval.ms", "6000"),
    ];
    let second = Member::join(cluster(), &topic, &[&topic], &silent);
    settle(&[&first, &second], 2);
    settle(&[&first], 2);
}

#[test]
fn a_static_member_comes_back_to_its_partitions_without_a_rebalance() {
    let topic = cluster().topic("static", 4);
    let join = |instance| {
        Member::join(
            cluster(),
            &topic,
            &[&topic],
            &[("group.instance.id", instance)],
        )
    };
    let (stays, goes) = (join("stays"), join("goes"));
    settle(&[&stays, &goes], 4);
    let (kept, before) = (stays.partitions(), goes.partitions());
    drop(goes);
    let back = join("goes");
    wait_until("the static member is back", SOON, || {
        let _ = (stays.poll(), back.poll());
        assert_eq!(stays.partitions(), kept, "the other member saw a rebalance");
        back.partitions() == before
    });
}

#[test]
fn a_second_live_member_of_an_instance_id_fences_the_first() {
    let topic = cluster().topic("instance", 1);
    let join = || {
        Member::join(
            cluster(),
            &topic,
            &[&topic],
            &[("group.instance.id", "same")],
        )
    };
    let first = join();
    settle(&[&first], 1);
    let second = join();
    let mut fatal = None;
    wait_until("the first is fenced", SOON, || {
        let _ = second.poll();
        if let Some(Err(error)) = first.poll() {
            fatal = Some(error);
        }
        fatal.is_some() && !second.partitions().is_empty()
    });
    let (error, _) = first.consumer().client().fatal_error().unwrap();
    assert_eq!(error, RDKafkaErrorCode::FencedInstanceId);
}

#[test]
fn a_stranger_commits_in_an_empty_group_and_not_in_a_live_one() {
    let topic = cluster().topic("stranger", 1);
    assert_eq!(
        cluster().committed(&topic, &topic, 1),
        [None],
        "a group that nobody has used"
    );
    let stranger = Member::join(cluster(), &topic, &[], &[]);
    stranger
        .consumer()
        .commit(&at(&topic, 0, 3), CommitMode::Sync)
        .unwrap();
    assert_eq!(cluster().committed(&topic, &topic, 1), [Some(3)]);
    let member = Member::join(cluster(), &topic, &[&topic], &[]);
    settle(&[&member], 1);
    let error = code(
        stranger
            .consumer()
            .commit(&at(&topic, 0, 4), CommitMode::Sync),
    );
    assert_eq!(error, RDKafkaErrorCode::UnknownMemberId);
    assert_eq!(cluster().committed(&topic, &topic, 1), [Some(3)]);
}
