//! Groups whose members move from the classic protocol to the consumer protocol (KIP-848), or back, one after the other:
//! what `group.consumer.migration.policy=bidirectional`, the default, allows.

use std::collections::BTreeSet;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use streams_tests::{Member, wait_until};

use crate::{SOON, cluster, settle};

fn classic(group: &str, topic: &str) -> Member {
    Member::join(cluster(), group, &[topic], &[])
}

fn consumer(group: &str, topic: &str) -> Member {
    Member::join_consumer_group(cluster(), group, &[topic], &[])
}

/// Polls until each member has `count` partitions, none of them two members'.
#[track_caller]
fn share(members: &[&Member], count: usize) {
    wait_until("the members share the partitions", SOON, || {
        for member in members {
            let _ = member.poll();
        }
        let held: Vec<_> = members.iter().map(|member| member.partitions()).collect();
        let together: BTreeSet<_> = held.iter().flatten().collect();
        held.iter().all(|partitions| partitions.len() == count)
            && together.len() == count * members.len()
    });
}

/// A member commits an offset of a partition that it has.
#[track_caller]
fn commit(member: &Member, offset: i64) -> (String, i32) {
    let (topic, partition) = member.partitions().remove(0);
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(&topic, partition, Offset::Offset(offset))
        .unwrap();
    member.consumer().commit(&at, CommitMode::Sync).unwrap();
    (topic, partition)
}

/// `GroupMetadataManager.convertToConsumerGroup`: the members stay, and so do the offsets.
#[test]
fn a_live_classic_group_takes_a_member_of_the_consumer_protocol() {
    let topic = cluster().topic("upgraded", 4);
    let first = classic(&topic, &topic);
    settle(&[&first], 4);
    commit(&first, 7);
    let second = consumer(&topic, &topic);
    share(&[&first, &second], 2);
    commit(&first, 7);
    let (_, partition) = commit(&second, 9);
    drop(first);
    settle(&[&second], 4);
    let committed = cluster().committed(&topic, &topic, 4);
    assert_eq!(committed[usize::try_from(partition).unwrap()], Some(9));
    assert!(committed.contains(&Some(7)), "{committed:?}");
}

/// `classicGroupJoinToConsumerGroup`: who speaks the classic protocol may join a live consumer group.
#[test]
fn a_live_consumer_group_takes_classic_members() {
    let topic = cluster().topic("mixed", 6);
    let first = consumer(&topic, &topic);
    settle(&[&first], 6);
    let second = classic(&topic, &topic);
    share(&[&first, &second], 3);
    let third = classic(&topic, &topic);
    share(&[&first, &second, &third], 2);
    drop(second);
    share(&[&first, &third], 3);
}

/// `convertToClassicGroup`: with its last member of the consumer protocol gone, a group is classic again.
#[test]
fn a_group_is_classic_again_when_only_classic_members_are_left() {
    let topic = cluster().topic("downgraded", 4);
    let first = consumer(&topic, &topic);
    settle(&[&first], 4);
    let second = classic(&topic, &topic);
    share(&[&first, &second], 2);
    let (_, partition) = commit(&first, 5);
    drop(first);
    settle(&[&second], 4);
    let third = classic(&topic, &topic);
    share(&[&second, &third], 2);
    commit(&third, 5);
    let committed = cluster().committed(&topic, &topic, 4);
    assert_eq!(committed[usize::try_from(partition).unwrap()], Some(5));
}
