//! Consumer groups (KIP-848): what the coordinator tells members, and whom it refuses.

use std::collections::BTreeMap;

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use uuid::Uuid;

use crate::wire::{Wire, patiently, text, unique};

/// The epoch of a group, and of its only member, after the first has joined.
pub(crate) const FIRST: i32 = 2;

/// Partitions by topic id.
pub(crate) type Owned = BTreeMap<Uuid, Vec<i32>>;

pub(crate) fn joining(group: &str, member: &str, topic: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member))
        .with_member_epoch(0)
        .with_instance_id(None)
        .with_rack_id(None)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![TopicName(text(topic))]))
        .with_subscribed_topic_regex(None)
        .with_server_assignor(Some(text("range")))
        .with_topic_partitions(Some(vec![]))
}

pub(crate) fn staying(
    group: &str,
    member: &str,
    epoch: i32,
    owned: Option<&Owned>,
) -> ConsumerGroupHeartbeatRequest {
    let owned = owned.map(|owned| {
        let topic = |(id, partitions): (&Uuid, &Vec<i32>)| {
            TopicPartitions::default()
                .with_topic_id(*id)
                .with_partitions(partitions.clone())
        };
        owned.iter().map(topic).collect()
    });
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_instance_id(None)
        .with_rack_id(None)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_subscribed_topic_regex(None)
        .with_server_assignor(None)
        .with_topic_partitions(owned)
}

fn owned(response: &ConsumerGroupHeartbeatResponse) -> Option<Owned> {
    let topics = response.assignment.as_ref()?.topic_partitions.iter();
    let topic =
        |topic: &kafka_protocol::messages::consumer_group_heartbeat_response::TopicPartitions| {
            let mut partitions = topic.partitions.clone();
            partitions.sort_unstable();
            (topic.topic_id, partitions)
        };
    Some(topics.map(topic).collect())
}

fn count(response: &ConsumerGroupHeartbeatResponse) -> usize {
    owned(response).map_or(0, |owned| owned.values().map(Vec::len).sum())
}

impl Wire {
    pub(crate) fn beat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        patiently(&[14, 15, 16], || {
            let response = self.ask(1, request.clone());
            (response.error_code, response)
        })
        .1
    }

    /// Goes on with heartbeats until the answer suits; gives it.
    fn beat_until(
        &mut self,
        mut request: ConsumerGroupHeartbeatRequest,
        suits: impl Fn(&ConsumerGroupHeartbeatResponse) -> bool,
    ) -> ConsumerGroupHeartbeatResponse {
        let (code, response) = patiently(&[-1], || {
            let response = self.beat(&request);
            request.member_epoch = response.member_epoch;
            (if suits(&response) { 0 } else { -1 }, response)
        });
        assert_eq!(code, 0, "{response:?}");
        response
    }

    /// The group's state, epoch and the epoch of its target.
    fn consumer_group(&mut self, group: &str) -> (i16, String, i32, i32) {
        let request =
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))]);
        let response = self.ask(0, request);
        let group = &response.groups[0];
        let state = group.group_state.to_string();
        (
            group.error_code,
            state,
            group.group_epoch,
            group.assignment_epoch,
        )
    }

    fn commit_as(
        &mut self,
        version: i16,
        group: &str,
        member: &str,
        epoch: i32,
        topic: &str,
        partition: i32,
    ) -> i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(3)
            .with_committed_metadata(Some(text("")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(epoch)
            .with_member_id(text(member))
            .with_group_instance_id(None)
            .with_topics(vec![topic]);
        self.ask(version, request).topics[0].partitions[0].error_code
    }

    /// Group's error code, partition's, and offset.
    fn fetch_as(
        &mut self,
        group: &str,
        member: Option<&str>,
        epoch: i32,
        topic: &str,
    ) -> (i16, i64) {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(member.map(text))
            .with_member_epoch(epoch)
            .with_topics(Some(vec![topic]));
        let response = self.ask(9, OffsetFetchRequest::default().with_groups(vec![group]));
        let group = &response.groups[0];
        let offset = group
            .topics
            .first()
            .map(|topic| topic.partitions[0].committed_offset);
        (group.error_code, offset.unwrap_or(-1))
    }

    /// A group of one member `a` that has both partitions of a topic, at the first epoch: topic and group.
    fn alone_in_consumer_group(&mut self) -> (String, String, Owned) {
        let (topic, group) = (self.topic(), unique("c"));
        self.find_coordinator(&group, 0);
        let first = self.beat(&joining(&group, "a", &topic));
        assert_eq!(
            (first.error_code, first.member_epoch, count(&first)),
            (0, FIRST, 2)
        );
        (topic, group, owned(&first).unwrap())
    }

    /// Two members, each with one partition, both at the same epoch: that of `a` before and theirs now.
    fn two_in_consumer_group(&mut self) -> (String, String, i32, i32) {
        let (topic, group, all) = self.alone_in_consumer_group();
        let mut newcomer = staying(&group, "b", 0, None);
        newcomer.member_epoch = self.beat(&joining(&group, "b", &topic)).member_epoch;
        // The target waits for the assignment interval to pass, and the newcomer for the partition.
        let waiting = self.beat_until(newcomer, |beat| beat.member_epoch == FIRST + 1);
        assert_eq!(count(&waiting), 0);
        let kept = self.beat_until(staying(&group, "a", FIRST, Some(&all)), |beat| {
            count(beat) == 1
        });
        assert_eq!(kept.member_epoch, FIRST);
        let done = self.beat(&staying(&group, "a", FIRST, owned(&kept).as_ref()));
        assert_eq!((done.error_code, done.member_epoch), (0, FIRST + 1));
        let given = self.beat_until(staying(&group, "b", FIRST + 1, None), |beat| {
            count(beat) == 1
        });
        assert_eq!(given.member_epoch, FIRST + 1);
        (topic, group, FIRST, FIRST + 1)
    }
}

/// KIP-848, `CurrentAssignmentBuilder`: revoke first; a partition is given when its owner has said that it gave it up.
#[test]
fn a_partition_is_given_to_a_newcomer_when_its_owner_has_given_it_up() {
    let mut wire = Wire::new();
    let (topic, group, all) = wire.alone_in_consumer_group();
    assert_eq!(
        wire.consumer_group(&group),
        (0, "Stable".to_owned(), FIRST, FIRST)
    );
    let joined = wire.beat(&joining(&group, "b", &topic));
    assert_eq!((joined.error_code, count(&joined)), (0, 0));
    let mut newcomer = staying(&group, "b", joined.member_epoch, None);
    newcomer.member_epoch = wire
        .beat_until(newcomer.clone(), |beat| beat.member_epoch == FIRST + 1)
        .member_epoch;
    let told = wire.beat_until(staying(&group, "a", FIRST, Some(&all)), |beat| {
        count(beat) == 1
    });
    assert_eq!(told.member_epoch, FIRST);
    assert_eq!(wire.consumer_group(&group).1, "Reconciling");
    // It still has both; it says nothing; the newcomer waits.
    for having in [Some(&all), None] {
        let again = wire.beat(&staying(&group, "a", FIRST, having));
        assert_eq!(
            (again.error_code, again.member_epoch, owned(&again)),
            (0, FIRST, None)
        );
        assert_eq!(count(&wire.beat(&newcomer)), 0);
    }
    let done = wire.beat(&staying(&group, "a", FIRST, owned(&told).as_ref()));
    assert_eq!((done.error_code, done.member_epoch), (0, FIRST + 1));
    let given = wire.beat(&newcomer);
    assert_eq!((given.member_epoch, count(&given)), (FIRST + 1, 1));
    assert_eq!(
        wire.consumer_group(&group),
        (0, "Stable".to_owned(), FIRST + 1, FIRST + 1)
    );
}

/// `GroupMetadataManager.throwIfConsumerGroupMemberEpochIsInvalid`.
#[test]
fn an_epoch_that_the_member_does_not_have_is_fenced() {
    let mut wire = Wire::new();
    let (_, group, all) = wire.alone_in_consumer_group();
    assert_eq!(
        wire.beat(&staying(&group, "a", FIRST + 1, None)).error_code,
        110
    );
    assert_eq!(wire.beat(&staying(&group, "x", FIRST, None)).error_code, 25);
    assert_eq!(
        wire.beat(&staying(&unique("none"), "a", FIRST, None))
            .error_code,
        69
    );
    assert_eq!(
        wire.beat(&staying(&group, "a", FIRST, Some(&all)))
            .error_code,
        0
    );
    // An epoch before the last is the previous one only with no more than is assigned.
    let (_, group, before, now) = wire.two_in_consumer_group();
    let too_much = Owned::from([(Uuid::from_u128(1), vec![0])]);
    assert_eq!(
        wire.beat(&staying(&group, "a", before, Some(&too_much)))
            .error_code,
        110
    );
    assert_eq!(
        wire.beat(&staying(&group, "a", before, None)).error_code,
        110
    );
    let lost = wire.beat(&staying(&group, "a", before, Some(&Owned::new())));
    assert_eq!((lost.error_code, lost.member_epoch), (0, now));
    // With epoch 0 a member joins anew and is told everything.
    let (topic, group, all) = wire.alone_in_consumer_group();
    let again = wire.beat(&joining(&group, "a", &topic));
    assert_eq!((again.member_epoch, owned(&again)), (FIRST, Some(all)));
}

/// `GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`.
#[test]
fn a_heartbeat_must_make_sense() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("c"));
    wire.find_coordinator(&group, 0);
    let good = joining(&group, "a", &topic);
    let wrong = [
        (good.clone().with_group_id(GroupId(text(""))), 42),
        (good.clone().with_member_id(text("")), 42),
        (good.clone().with_rebalance_timeout_ms(-1), 42),
        (good.clone().with_topic_partitions(None), 42),
        (good.clone().with_subscribed_topic_names(None), 42),
        (good.clone().with_instance_id(Some(text(""))), 42),
        (good.clone().with_rack_id(Some(text(""))), 42),
        (good.clone().with_member_epoch(-2), 42),
        (good.clone().with_member_epoch(-3), 42),
        (good.clone().with_server_assignor(Some(text("sticky"))), 112),
        (
            good.clone().with_subscribed_topic_regex(Some(text("t["))),
            128,
        ),
        (good.clone().with_member_epoch(-1), 69),
    ];
    for (request, code) in wrong {
        assert_eq!(wire.beat(&request).error_code, code, "{request:?}");
    }
    // Before version 1 the coordinator gives the id.
    let named = wire.ask(0, good.with_member_id(text("")));
    assert_eq!(
        (named.error_code, named.heartbeat_interval_ms > 0),
        (0, true)
    );
    assert!(named.member_id.is_some_and(|id| !id.is_empty()));
}

/// KIP-848, static membership: epoch -2 keeps the place, and only then another client may take it.
#[test]
fn a_static_member_of_a_consumer_group_is_replaced_only_while_it_is_away() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("c"));
    wire.find_coordinator(&group, 0);
    let instance =
        |request: ConsumerGroupHeartbeatRequest| request.with_instance_id(Some(text("i")));
    let first = wire.beat(&instance(joining(&group, "a", &topic)));
    assert_eq!((first.error_code, count(&first)), (0, 2));
    assert_eq!(
        wire.beat(&instance(joining(&group, "b", &topic)))
            .error_code,
        111
    );
    let away = wire.beat(&instance(staying(&group, "a", -2, None)));
    assert_eq!((away.error_code, away.member_epoch), (0, -2));
    let back = wire.beat(&instance(joining(&group, "b", &topic)));
    assert_eq!(
        (back.error_code, back.member_epoch, owned(&back)),
        (0, FIRST, owned(&first))
    );
    assert_eq!(
        wire.beat(&instance(staying(&group, "a", FIRST, None)))
            .error_code,
        82
    );
    assert_eq!(
        wire.beat(&instance(staying(&group, "a", -2, None)))
            .error_code,
        82
    );
    let unknown = staying(&group, "b", FIRST, None).with_instance_id(Some(text("other")));
    assert_eq!(wire.beat(&unknown).error_code, 25);
    // For good.
    let gone = wire.beat(&instance(staying(&group, "b", -1, None)));
    assert_eq!((gone.error_code, gone.member_epoch), (0, -1));
    assert_eq!(wire.consumer_group(&group).1, "Empty");
    assert_eq!(
        wire.beat(&instance(staying(&group, "b", FIRST, None)))
            .error_code,
        25
    );
}

/// KIP-848, `TopicRegexResolver`: RE2's syntax, the whole name.
#[test]
fn a_regular_expression_subscribes_to_the_topics_whose_whole_name_it_matches() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("c"));
    wire.find_coordinator(&group, 0);
    let by_regex = |regex: &str| {
        let request = joining(&group, "a", &topic).with_subscribed_topic_names(None);
        request.with_subscribed_topic_regex(Some(text(regex)))
    };
    let joined = wire.beat(&by_regex(&format!("{topic}|{topic}-not-there")));
    assert_eq!((joined.error_code, count(&joined)), (0, 0));
    let found = wire.beat_until(staying(&group, "a", joined.member_epoch, None), |beat| {
        count(beat) > 0
    });
    assert_eq!(
        (found.member_epoch, count(&found)),
        (joined.member_epoch + 1, 2)
    );
    // Part of a name is none.
    let part =
        wire.beat(&by_regex(&topic[..topic.len() - 1]).with_group_id(GroupId(text(&unique("c")))));
    assert_eq!((part.error_code, count(&part)), (0, 0));
}

/// `ConsumerGroup.hasMetadataExpired`: what happens to a subscribed topic is seen with the next heartbeats.
#[test]
fn new_partitions_and_topics_are_given_to_the_members_that_subscribe_to_them() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("c"));
    let later = unique("later");
    wire.find_coordinator(&group, 0);
    let names = [&topic, &later].map(|name| TopicName(text(name)));
    let both = joining(&group, "a", &topic).with_subscribed_topic_names(Some(names.to_vec()));
    assert_eq!(count(&wire.beat(&both)), 2);
    assert_eq!(wire.grow(&topic, 3), 0);
    let grown = wire.beat_until(staying(&group, "a", FIRST, None), |beat| count(beat) == 3);
    assert_eq!(wire.create(&later, 2, 1, &[]), 0);
    let request = staying(&group, "a", grown.member_epoch, None);
    wire.beat_until(request, |beat| count(beat) == 5);
}

/// `ConsumerGroup.validateOffsetCommit` and `validateOffsetFetch` (KIP-1251: an epoch a partition).
#[test]
fn offsets_are_committed_and_read_with_the_members_epoch() {
    let mut wire = Wire::new();
    let (topic, group, before, now) = wire.two_in_consumer_group();
    // `range`: a has partition 0, which it had before, and b partition 1.
    assert_eq!(wire.commit_as(9, &group, "a", now, &topic, 0), 0);
    assert_eq!(wire.commit_as(9, &group, "a", before, &topic, 0), 0);
    assert_eq!(wire.commit_as(9, &group, "a", before, &topic, 1), 113);
    assert_eq!(wire.commit_as(9, &group, "b", now, &topic, 1), 0);
    assert_eq!(wire.commit_as(9, &group, "b", before, &topic, 1), 113);
    assert_eq!(wire.commit_as(9, &group, "a", now + 1, &topic, 0), 113);
    assert_eq!(wire.commit_as(9, &group, "x", now, &topic, 0), 25);
    assert_eq!(wire.commit_as(9, &group, "", -1, &topic, 0), 25);
    assert_eq!(wire.commit_as(8, &group, "a", now, &topic, 0), 35);
    assert_eq!(wire.commit_as(9, &unique("none"), "a", now, &topic, 0), 69);
    assert_eq!(wire.fetch_as(&group, None, -1, &topic), (0, 3));
    assert_eq!(wire.fetch_as(&group, Some("a"), now, &topic), (0, 3));
    assert_eq!(wire.fetch_as(&group, Some("a"), before, &topic).0, 113);
    assert_eq!(wire.fetch_as(&group, Some("x"), now, &topic).0, 25);
    // Once all have left, anybody may commit.
    for member in ["a", "b"] {
        assert_eq!(wire.beat(&staying(&group, member, -1, None)).error_code, 0);
    }
    assert_eq!(wire.commit_as(9, &group, "", -1, &topic, 0), 0);
    assert_eq!(wire.commit_as(9, &group, "a", now, &topic, 0), 25);
}

/// `GroupMetadataManager.getOrMaybeCreateConsumerGroup`, `maybeDeleteEmptyConsumerGroup`: an empty group changes its type.
#[test]
fn an_empty_group_changes_its_type_and_keeps_its_offsets() {
    let mut wire = Wire::new();
    let (topic, group, _) = wire.alone_in_consumer_group();
    assert_eq!(wire.commit_as(9, &group, "a", FIRST, &topic, 0), 0);
    assert_eq!(wire.beat(&staying(&group, "a", -1, None)).error_code, 0);
    let classic = wire.alone(&group);
    assert_eq!(wire.consumer_group(&group).0, 69);
    assert_eq!(wire.beat(&staying(&group, "a", FIRST, None)).error_code, 69);
    assert_eq!(wire.leave(&group, &classic), 0);
    let again = wire.beat(&joining(&group, "b", &topic));
    assert_eq!(
        (again.error_code, again.member_epoch, count(&again)),
        (0, FIRST, 2)
    );
    assert_eq!(wire.committed(&group, &topic, false), (0, 3));
    // To the calls of classic members it has none.
    assert_eq!(wire.heartbeat(&group, &classic, 1), 25);
    assert_eq!(wire.sync(&group, &classic, 1, &[]).0, 25);
    assert_eq!(wire.leave(&group, &classic), 25);
}

/// `ConsumerGroupMember.asConsumerGroupDescribeMember`: what a member has not yet given up is still its own.
#[test]
fn a_partition_that_is_being_given_up_is_described_as_its_owners() {
    let mut wire = Wire::new();
    let (topic, group, all) = wire.alone_in_consumer_group();
    let mut newcomer = staying(&group, "b", 0, None);
    newcomer.member_epoch = wire.beat(&joining(&group, "b", &topic)).member_epoch;
    wire.beat_until(newcomer, |beat| beat.member_epoch == FIRST + 1);
    let kept = wire.beat_until(staying(&group, "a", FIRST, Some(&all)), |beat| {
        count(beat) == 1
    });
    // How many partitions each member has, as others are told.
    let described = |wire: &mut Wire| {
        let groups = vec![GroupId(text(&group))];
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(groups);
        let mut members = wire.ask(0, request).groups.remove(0).members;
        members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
        let held = members.iter().map(|member| {
            let topics = member.assignment.topic_partitions.iter();
            topics.map(|topic| topic.partitions.len()).sum::<usize>()
        });
        held.collect::<Vec<_>>()
    };
    assert_eq!(described(&mut wire), [2, 0]);
    let done = wire.beat(&staying(&group, "a", FIRST, owned(&kept).as_ref()));
    assert_eq!(done.member_epoch, FIRST + 1);
    assert_eq!(described(&mut wire), [1, 0]);
}
