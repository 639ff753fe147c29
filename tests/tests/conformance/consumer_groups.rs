//! Consumer groups of KIP-848, in which the coordinator assigns, as librdkafka's members see them.

use std::collections::BTreeSet;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;
use streams_tests::{Member, Sender, wait_until};

use crate::{SOON, cluster, code, settle};

fn join(group: &str, topics: &[&str], assignor: &str) -> Member {
    let properties = [("group.remote.assignor", assignor)];
    Member::join_consumer_group(cluster(), group, topics, &properties)
}

/// The partitions of a topic that a member has.
fn of(member: &Member, topic: &str) -> Vec<i32> {
    let partitions = member.partitions();
    partitions
        .into_iter()
        .filter(|(name, _)| name == topic)
        .map(|(_, partition)| partition)
        .collect()
}

/// `RangeAssignor`: topics with as many partitions are co-partitioned; who joins gets a share, who leaves gives it back.
#[test]
fn the_range_assignor_co_partitions_topics() {
    let (one, two) = (
        cluster().topic("range-one", 4),
        cluster().topic("range-two", 4),
    );
    let group = cluster().unique("range");
    let first = join(&group, &[&one, &two], "range");
    settle(&[&first], 8);
    let second = join(&group, &[&one, &two], "range");
    wait_until("each has half", SOON, || {
        let poll = |member: &Member| {
            let _ = member.poll();
            member.partitions().len() == 4
        };
        poll(&first) & poll(&second)
    });
    for member in [&first, &second] {
        assert_eq!(of(member, &one), of(member, &two));
        assert_eq!(of(member, &one).len(), 2);
    }
    drop(second);
    settle(&[&first], 8);
}

/// `UniformAssignor`: shares differ by one at most, and members keep what they have.
#[test]
fn the_uniform_assignor_lets_members_keep_their_partitions() {
    let topic = cluster().topic("uniform", 6);
    let members: Vec<_> = (0..2).map(|_| join(&topic, &[&topic], "uniform")).collect();
    settle(&[&members[0], &members[1]], 6);
    let before: Vec<BTreeSet<_>> = members
        .iter()
        .map(|member| of(member, &topic).into_iter().collect())
        .collect();
    assert!(
        before.iter().all(|partitions| partitions.len() == 3),
        "{before:?}"
    );
    let third = join(&topic, &[&topic], "uniform");
    wait_until("each has a third", SOON, || {
        let all = [&members[0], &members[1], &third];
        all.map(|member| {
            let _ = member.poll();
            member.partitions().len()
        }) == [2, 2, 2]
    });
    for (member, before) in members.iter().zip(before) {
        assert!(before.is_superset(&of(member, &topic).into_iter().collect()));
    }
}

/// No record is lost or doubled by members that come and go, each committing what it has read.
#[test]
fn members_that_come_and_go_read_every_record_once() {
    const RECORDS: usize = 800;
    let topic = cluster().topic("come-and-go", 4);
    cluster().produce_numbered(&topic, 4, RECORDS);
    let mut read: Vec<(i32, i64)> = Vec::new();
    let mut poll = |member: &Member| {
        let Some(Ok(record)) = member.poll() else {
            return read.len();
        };
        let mut at = TopicPartitionList::new();
        at.add_partition_offset(&topic, record.partition, Offset::Offset(record.offset + 1))
            .unwrap();
        // A member whose partition is gone may not commit, and then the record is another's.
        if member.consumer().commit(&at, CommitMode::Sync).is_ok() {
            read.push((record.partition, record.offset));
        }
        read.len()
    };
    let first = join(&topic, &[&topic], "uniform");
    wait_until("some are read", SOON, || poll(&first) > 50);
    let second = join(&topic, &[&topic], "uniform");
    wait_until("both read", SOON, || {
        poll(&first);
        poll(&second);
        second.partitions().len() == 2
    });
    drop(first);
    wait_until("all are read", SOON * 2, || poll(&second) >= RECORDS);
    read.sort_unstable();
    let each: BTreeSet<_> = read.iter().collect();
    assert_eq!((each.len(), read.len()), (RECORDS, RECORDS));
}

/// KIP-848 and KIP-447: who has left its group may not commit its offsets in a transaction.
#[test]
fn a_member_that_left_a_consumer_group_may_not_commit_in_a_transaction() {
    let topic = cluster().topic("left", 1);
    let member = join(&topic, &[&topic], "uniform");
    settle(&[&member], 1);
    let metadata = member.consumer().group_metadata().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(&topic, 0, Offset::Offset(5))
        .unwrap();
    let sender = Sender::transactional(cluster(), &topic, &[]);
    sender.begin();
    sender
        .producer()
        .send_offsets_to_transaction(&offsets, &metadata, SOON)
        .unwrap();
    sender.commit();
    wait_until("the offset is committed", SOON, || {
        cluster().committed(&topic, &topic, 1) == [Some(5)]
    });
    // Another member, so that the group lives on.
    let other = join(&topic, &[&topic], "uniform");
    drop(member);
    settle(&[&other], 1);
    sender.begin();
    let refused = sender
        .producer()
        .send_offsets_to_transaction(&offsets, &metadata, SOON);
    assert_eq!(code(refused), RDKafkaErrorCode::UnknownMemberId);
    sender.abort();
}
