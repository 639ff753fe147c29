//! Offsets that are committed in a transaction.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};
use streams_tests::{Member, Sender, wait_until};

use crate::{SOON, at, cluster, code, settle};

#[test]
fn offsets_of_a_transaction_count_when_it_commits() {
    let topic = cluster().topic("offsets", 1);
    let sender = Sender::transactional(cluster(), &topic, &[]);
    let member = Member::join(cluster(), &topic, &[&topic], &[]);
    settle(&[&member], 1);
    let group = || member.consumer().group_metadata().unwrap();
    let committed = || cluster().committed(&topic, &topic, 1);
    for (offset, commits) in [(5, true), (7, false), (9, true)] {
        sender.begin();
        sender.text(&topic, 0, "output");
        sender
            .producer()
            .send_offsets_to_transaction(&at(&topic, 0, offset), &group(), SOON)
            .unwrap();
        if commits {
            sender.commit()
        } else {
            sender.abort()
        }
        let expected = if commits { offset } else { 5 };
        wait_until("the offset is stable", SOON, || {
            committed() == [Some(expected)]
        });
    }
}

#[test]
fn offsets_of_an_open_transaction_are_not_stable_and_go_with_its_fencing() {
    let topic = cluster().topic("dangling", 1);
    let member = Member::join(cluster(), &topic, &[&topic], &[]);
    settle(&[&member], 1);
    let group = member.consumer().group_metadata().unwrap();
    let zombie = Sender::transactional(cluster(), &topic, &[]);
    zombie.begin();
    zombie.text(&topic, 0, "output");
    zombie.flush();
    zombie
        .producer()
        .send_offsets_to_transaction(&at(&topic, 0, 5), &group, SOON)
        .unwrap();
    // A reader that asks for stable offsets waits while one is pending: its request runs into its deadline.
    let reader = Member::join(cluster(), &topic, &[], &[]);
    let ask = || {
        let mut list = TopicPartitionList::new();
        list.add_partition(&topic, 0);
        reader
            .consumer()
            .committed_offsets(list, Duration::from_secs(1))
    };
    assert!(ask().is_err());
    let _heir = Sender::transactional(cluster(), &topic, &[]);
    wait_until("the offset is dropped", SOON, || {
        ask().is_ok_and(|list| list.elements()[0].offset() == Offset::Invalid)
    });
}

#[test]
fn a_zombies_offsets_are_refused_by_its_generation_or_its_membership() {
    let topic = cluster().topic("zombie", 2);
    let sender = Sender::transactional(cluster(), &topic, &[]);
    let stays = Member::join(cluster(), &topic, &[&topic], &[]);
    settle(&[&stays], 2);
    let older = stays.consumer().group_metadata().unwrap();
    let leaves = Member::join(cluster(), &topic, &[&topic], &[]);
    settle(&[&stays, &leaves], 2);
    let left = leaves.consumer().group_metadata().unwrap();
    drop(leaves);
    settle(&[&stays], 2);
    let refused = |group| {
        sender.begin();
        sender.text(&topic, 0, "output");
        sender.flush();
        let error = code(sender.producer().send_offsets_to_transaction(
            &at(&topic, 0, 5),
            group,
            SOON,
        ));
        sender.abort();
        error
    };
    assert_eq!(refused(&older), RDKafkaErrorCode::IllegalGeneration);
    assert_eq!(refused(&left), RDKafkaErrorCode::UnknownMemberId);
    assert_eq!(cluster().committed(&topic, &topic, 1), [None]);
}
