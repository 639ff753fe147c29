//! Groups of members of both protocols, and the codes that they get.

use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, GroupId, JoinGroupResponse};

use super::consumer_groups::{FIRST, joining, staying};
use super::group_tools::subscription;
use crate::wire::{Wire, patiently, text, unique};

const UNKNOWN_MEMBER: i16 = 25;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_PROTOCOL: i16 = 23;
const REBALANCE_IN_PROGRESS: i16 = 27;
const GROUP_ID_NOT_FOUND: i16 = 69;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE: i16 = 82;
const UNRELEASED_INSTANCE: i16 = 111;

impl Wire {
    fn join_as_reader(&mut self, group: &str, member: &str, topic: &str) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(subscription(topic));
        self.join_with(group, member, |request| {
            request.with_protocols(vec![protocol.clone()])
        })
    }

    /// Joins as the static member `i`, with or without a member id.
    fn join_as_static(&mut self, group: &str, member: &str, topic: &str) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(subscription(topic));
        self.join_with(group, member, |request| {
            request
                .with_protocols(vec![protocol.clone()])
                .with_group_instance_id(Some(text("i")))
        })
    }

    /// Whether the group is of this type.
    fn is_of_type(&mut self, group: &str, kind: &str) -> bool {
        self.listed(group, &[], &[kind]).is_some()
    }

    /// The member types of a consumer group: 0 is classic.
    fn member_types(&mut self, group: &str) -> Vec<i8> {
        let request =
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))]);
        let members = &self.ask(1, request).groups[0].members;
        let mut types: Vec<_> = members.iter().map(|member| member.member_type).collect();
        types.sort_unstable();
        types
    }
}

#[test]
fn a_classic_member_of_a_consumer_group_has_its_epoch_for_a_generation() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("g"));
    wire.find_coordinator(&group, 0);
    assert_eq!(wire.beat(&joining(&group, "a", &topic)).error_code, 0);
    let promised = wire.join_as_reader(&group, "", &topic);
    assert_eq!(promised.error_code, MEMBER_ID_REQUIRED);
    let id = promised.member_id;
    let joined = wire.join_as_reader(&group, &id, &topic);
    assert_eq!((joined.error_code, &*joined.leader), (0, ""));
    assert!(joined.members.is_empty());
    let generation = joined.generation_id;
    assert!(generation >= FIRST, "{generation}");
    assert_eq!(wire.member_types(&group), [0, 1]);
    assert!(wire.is_of_type(&group, "consumer"));
    // Of the other protocol nobody is a member.
    assert_eq!(wire.heartbeat(&group, "a", FIRST), UNKNOWN_MEMBER);
    assert_eq!(wire.heartbeat(&group, "nobody", FIRST), UNKNOWN_MEMBER);
    assert_eq!(
        wire.heartbeat(&group, &id, generation + 9),
        ILLEGAL_GENERATION
    );
    assert_eq!(
        wire.sync(&group, &id, generation + 9, &[]).0,
        ILLEGAL_GENERATION
    );
    assert_eq!(
        wire.commit(&group, &id, generation + 9, &topic),
        ILLEGAL_GENERATION
    );
    assert_eq!(wire.commit(&group, &id, generation, &topic), 0);
    assert_eq!(wire.leave(&group, "nobody"), UNKNOWN_MEMBER);
    assert_eq!(wire.leave(&group, &id), 0);
    assert_eq!(wire.member_types(&group), [1]);
    // Tools remove members of either protocol.
    assert_eq!(wire.leave(&group, "a"), 0);
    assert!(wire.member_types(&group).is_empty());
}

#[test]
fn a_static_classic_member_of_a_consumer_group_fences_its_former_self() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("g"));
    wire.find_coordinator(&group, 0);
    assert_eq!(wire.beat(&joining(&group, "a", &topic)).error_code, 0);
    let first = wire.join_as_static(&group, "", &topic);
    assert_eq!(first.error_code, 0);
    let stranger = wire.join_as_static(&group, "stranger", &topic);
    assert_eq!(stranger.error_code, FENCED_INSTANCE);
    let second = wire.join_as_static(&group, "", &topic);
    assert_eq!(second.error_code, 0);
    assert_ne!(second.member_id, first.member_id);
    let fenced = wire.heartbeat_as(&group, &first.member_id, first.generation_id, Some("i"));
    assert_eq!(fenced, FENCED_INSTANCE);
    assert_eq!(wire.member_types(&group), [0, 1]);
    // A client of the other protocol takes its place at once, and gives it up at once.
    let other = joining(&group, "b", &topic).with_instance_id(Some(text("i")));
    assert_eq!(wire.beat(&other).error_code, 0);
    assert_eq!(wire.member_types(&group), [1, 1]);
    let third = joining(&group, "c", &topic).with_instance_id(Some(text("i")));
    assert_eq!(wire.beat(&third).error_code, UNRELEASED_INSTANCE);
    assert_eq!(wire.join_as_static(&group, "", &topic).error_code, 0);
    assert_eq!(wire.member_types(&group), [0, 1]);
}

#[test]
fn a_classic_member_gets_its_share_when_the_other_has_given_it_up() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("g"));
    wire.find_coordinator(&group, 0);
    let first = wire.beat(&joining(&group, "a", &topic));
    let id = wire.join_as_reader(&group, "", &topic).member_id;
    let mut epoch = first.member_epoch;
    let (code, share) = patiently(&[-1], || {
        // What is assigned is what it owns: it follows at once.
        let beat = wire.beat(&staying(&group, "a", epoch, None));
        epoch = beat.member_epoch;
        let owned = beat.assignment.map(|assignment| {
            let topics = assignment.topic_partitions.into_iter();
            topics
                .map(|topic| (topic.topic_id, topic.partitions))
                .collect()
        });
        if owned.is_some() {
            epoch = wire
                .beat(&staying(&group, "a", epoch, owned.as_ref()))
                .member_epoch;
        }
        let generation = wire.join_as_reader(&group, &id, &topic).generation_id;
        let (code, assignment) = wire.sync(&group, &id, generation, &[]);
        let beats = wire.heartbeat(&group, &id, generation);
        let settled = code == 0 && beats == 0 && assignment.len() > 10;
        (if settled { 0 } else { -1 }, assignment)
    });
    assert_eq!(code, 0, "{share:?}");
    // One of the topic's two partitions.
    let length = u16::try_from(topic.len()).unwrap().to_be_bytes();
    let expected = [
        &[0, 0, 0, 0, 0, 1],
        &length[..],
        topic.as_bytes(),
        &[0, 0, 0, 1],
    ]
    .concat();
    assert!(share.starts_with(&expected), "{share:?}");
}

#[test]
fn a_consumer_group_takes_no_members_of_other_protocols() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("g"));
    wire.find_coordinator(&group, 0);
    assert_eq!(wire.beat(&joining(&group, "a", &topic)).error_code, 0);
    let connects = wire.join_with(&group, "", |request| {
        request.with_protocol_type(text("connect"))
    });
    assert_eq!(connects.error_code, INCONSISTENT_PROTOCOL);
    let nothing = wire.join_with(&group, "", |request| request.with_protocols(vec![]));
    assert_eq!(nothing.error_code, INCONSISTENT_PROTOCOL);
    // What it subscribes to is read when it comes with an id.
    let unreadable = wire.join(&group, "");
    assert_eq!(unreadable.error_code, MEMBER_ID_REQUIRED);
    // And a classic group whose subscriptions are none takes nobody of the consumer protocol.
    let other = unique("g");
    wire.find_coordinator(&other, 0);
    let id = wire.join(&other, "").member_id;
    assert_eq!(wire.join(&other, &id).error_code, 0);
    let refused = wire.beat(&joining(&other, "a", &topic));
    assert_eq!(refused.error_code, GROUP_ID_NOT_FOUND);
}

#[test]
fn a_live_group_changes_its_type_with_the_members_that_it_has() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), unique("g"));
    wire.find_coordinator(&group, 0);
    let id = wire.join_as_reader(&group, "", &topic).member_id;
    assert_eq!(wire.join_as_reader(&group, &id, &topic).generation_id, 1);
    // Its leader has assigned nothing.
    assert_eq!(wire.sync(&group, &id, 1, &[]).0, 0);
    assert_eq!(wire.heartbeat(&group, &id, 1), 0);
    // Only who joins brings the change.
    assert_eq!(
        wire.beat(&staying(&group, "a", 1, None)).error_code,
        GROUP_ID_NOT_FOUND
    );
    assert!(wire.is_of_type(&group, "classic"));
    let joined = wire.beat(&joining(&group, "a", &topic));
    // The epochs go on from the generation.
    assert_eq!((joined.error_code, joined.member_epoch), (0, 2));
    assert!(wire.is_of_type(&group, "consumer"));
    assert_eq!(wire.heartbeat(&group, &id, 1), REBALANCE_IN_PROGRESS);
    let left = wire.beat(&staying(&group, "a", -1, None));
    assert_eq!(left.error_code, 0);
    assert!(wire.is_of_type(&group, "classic"));
    assert_eq!(wire.heartbeat(&group, &id, 1), ILLEGAL_GENERATION);
    // The generation is the last epoch; the next one begins when the member has joined again.
    assert_eq!(wire.heartbeat(&group, &id, 2), REBALANCE_IN_PROGRESS);
    let again = wire.join_as_reader(&group, &id, &topic);
    assert_eq!((again.error_code, again.generation_id), (0, 3));
    assert_eq!(again.leader, again.member_id);
}

/// `GroupMetadataManager.maybeDeleteEmptyClassicGroup`: who only has an id is no member that would come along.
#[test]
fn a_group_of_which_only_ids_were_given_out_becomes_any_type() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    let pending = wire.join(&group, "");
    assert_eq!(pending.error_code, 79);
    let beat = wire.beat(&joining(&group, "a", &topic));
    assert_eq!((beat.error_code, beat.member_epoch), (0, FIRST));
}

/// `GroupMetadataManager.deserializeSubscription`: Apache Kafka fails on what it cannot read, when it has seen who asks.
#[test]
fn what_a_classic_member_says_is_read() {
    const FAILED: i16 = -1;
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    assert_eq!(wire.beat(&joining(&group, "a", &topic)).error_code, 0);
    // What these say is no subscription.
    let promised = wire.join(&group, "");
    assert_eq!(promised.error_code, MEMBER_ID_REQUIRED);
    assert_eq!(wire.join(&group, &promised.member_id).error_code, FAILED);
    assert_eq!(wire.join_static(&group, "").error_code, FAILED);
    let stranger = wire.join_static(&group, "stranger");
    assert_eq!(stranger.error_code, UNKNOWN_MEMBER);
    let stranger = wire.join_as_static(&group, "stranger", &topic);
    assert_eq!(stranger.error_code, UNKNOWN_MEMBER);
}
