//! What tools do with groups: list, describe, delete, and delete offsets of.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest, TopicName,
};

use crate::wire::{Wire, patiently, text, unique};

/// A `ConsumerProtocolSubscription` of one topic.
pub(crate) fn subscription(topic: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(i16::try_from(topic.len()).unwrap());
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

impl Wire {
    /// The only member of a stable classic group, which reads the topic.
    pub(crate) fn reader_of(&mut self, group: &str, topic: &str) -> String {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(subscription(topic));
        let member = self.join(group, "").member_id;
        let joined = self.join_with(group, &member, |request| {
            request.with_protocols(vec![protocol.clone()])
        });
        assert_eq!(joined.error_code, 0);
        assert_eq!(self.sync(group, &member, 1, &[&member]).0, 0);
        member.to_string()
    }

    fn delete_group(&mut self, group: &str) -> i16 {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
        self.ask(2, request).results[0].error_code
    }

    /// The group's code, and the code of the topic's first partition.
    fn delete_offset(&mut self, group: &str, topic: &str) -> (i16, i16) {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(vec![topic]);
        let response = self.ask(0, request);
        let topic = response.topics.first();
        let partition = topic.map_or(0, |topic| topic.partitions[0].error_code);
        (response.error_code, partition)
    }

    /// The group's state and type, if the filters let it through.
    pub(crate) fn listed(
        &mut self,
        group: &str,
        states: &[&str],
        types: &[&str],
    ) -> Option<(String, String)> {
        let words = |words: &[&str]| words.iter().map(|word| text(word)).collect();
        let request = ListGroupsRequest::default()
            .with_states_filter(words(states))
            .with_types_filter(words(types));
        let response = self.ask(5, request);
        let groups = response.groups.iter();
        let found = groups.filter(|listed| &**listed.group_id == group);
        found
            .map(|listed| {
                (
                    listed.group_state.to_string(),
                    listed.group_type.to_string(),
                )
            })
            .next()
    }

    /// Error code and state.
    fn described(&mut self, version: i16, group: &str) -> (i16, String) {
        let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
        let response = self.ask(version, request);
        let group = &response.groups[0];
        (group.error_code, group.group_state.to_string())
    }
}

/// KIP-518, KIP-848 and KIP-1043: groups by state and type; what isn't there is dead, and an error from version 6 on.
#[test]
fn groups_are_listed_by_state_and_type() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    let member = wire.reader_of(&group, &topic);
    let stable = Some(("Stable".to_owned(), "classic".to_owned()));
    assert_eq!(wire.listed(&group, &[], &[]), stable);
    assert_eq!(wire.listed(&group, &["stable"], &["CLASSIC"]), stable);
    assert_eq!(wire.listed(&group, &["Empty"], &[]), None);
    assert_eq!(wire.listed(&group, &[], &["consumer"]), None);
    assert_eq!(wire.described(5, &group), (0, "Stable".to_owned()));
    assert_eq!(wire.leave(&group, &member), 0);
    assert_eq!(wire.described(6, &group), (0, "Empty".to_owned()));
    let none = unique("none");
    assert_eq!(wire.described(5, &none), (0, "Dead".to_owned()));
    assert_eq!(wire.described(6, &none), (69, "Dead".to_owned()));
}

/// `GroupCoordinatorService.deleteGroups`.
#[test]
fn only_an_empty_group_is_deleted_and_its_offsets_with_it() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    assert_eq!(wire.delete_group(&unique("none")), 69);
    let member = wire.reader_of(&group, &topic);
    assert_eq!(wire.commit(&group, &member, 1, &topic), 0);
    assert_eq!(wire.delete_group(&group), 68);
    assert_eq!(wire.leave(&group, &member), 0);
    assert_eq!(wire.committed(&group, &topic, false), (0, 3));
    assert_eq!(wire.delete_group(&group), 0);
    assert_eq!(wire.committed(&group, &topic, false), (0, -1));
    assert_eq!(wire.delete_group(&group), 69);
}

/// KIP-496, `OffsetMetadataManager.deleteOffsets`.
#[test]
fn offsets_of_topics_that_nobody_reads_are_deleted() {
    let mut wire = Wire::new();
    let (read, other, group) = (wire.topic(), wire.topic(), wire.group());
    assert_eq!(wire.delete_offset(&unique("none"), &read), (69, 0));
    let member = wire.reader_of(&group, &read);
    for topic in [&read, &other] {
        assert_eq!(wire.commit(&group, &member, 1, topic), 0);
    }
    assert_eq!(wire.delete_offset(&group, &read), (0, 86));
    assert_eq!(wire.delete_offset(&group, &other), (0, 0));
    assert_eq!(wire.committed(&group, &read, false), (0, 3));
    assert_eq!(wire.committed(&group, &other, false), (0, -1));
    assert_eq!(wire.delete_offset(&group, &unique("none")), (0, 3));
    assert_eq!(wire.leave(&group, &member), 0);
    assert_eq!(wire.delete_offset(&group, &read), (0, 0));
    assert_eq!(wire.committed(&group, &read, false), (0, -1));
}

/// KIP-345: from version 3 on several members leave at once, static ones by their instance alone.
#[test]
fn several_members_leave_at_once() {
    let mut wire = Wire::new();
    let group = wire.group();
    let member = wire.join_static(&group, "").member_id;
    assert_eq!(wire.sync(&group, &member, 1, &[&member]).0, 0);
    let identity = |member: &str, instance: Option<&str>| {
        MemberIdentity::default()
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text))
    };
    let leaving = vec![
        identity("stranger", None),
        identity("stranger", Some("instance")),
        identity("", Some("other")),
        identity("", Some("instance")),
    ];
    let request = LeaveGroupRequest::default()
        .with_group_id(GroupId(text(&group)))
        .with_members(leaving);
    let response = wire.ask(4, request);
    let codes: Vec<_> = response.members.iter().map(|one| one.error_code).collect();
    assert_eq!((response.error_code, codes), (0, vec![25, 82, 25, 0]));
    assert_eq!(wire.described(5, &group), (0, "Empty".to_owned()));
}

#[test]
fn members_of_no_group_cannot_leave_it() {
    let mut wire = Wire::new();
    let member = MemberIdentity::default().with_member_id(text("stranger"));
    let request = LeaveGroupRequest::default()
        .with_group_id(GroupId(text("")))
        .with_members(vec![member]);
    let response = wire.ask(4, request);
    assert_eq!((response.error_code, response.members.len()), (24, 0));
}

/// KIP-559: from version 5 on SyncGroup says for which protocol it is.
#[test]
fn an_assignment_of_another_protocol_is_refused() {
    let mut wire = Wire::new();
    let group = wire.group();
    let asked = wire.join(&group, "");
    let joined = wire.join(&group, &asked.member_id);
    assert_eq!(joined.error_code, 0);
    let sync = |wire: &mut Wire, kind: &str, name: &str| {
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(&group)))
            .with_generation_id(1)
            .with_member_id(joined.member_id.clone())
            .with_group_instance_id(None)
            .with_protocol_type(Some(text(kind)))
            .with_protocol_name(Some(text(name)));
        wire.ask(5, request).error_code
    };
    assert_eq!(sync(&mut wire, "connect", "range"), 23);
    assert_eq!(sync(&mut wire, "consumer", "sticky"), 23);
    assert_eq!(sync(&mut wire, "consumer", "range"), 0);
}

/// KIP-394: an id that was given out and not used is no member, and is forgotten when its client leaves.
#[test]
fn an_id_that_was_given_out_is_no_member_yet() {
    let mut wire = Wire::new();
    let group = wire.group();
    let asked = wire.join(&group, "");
    assert_eq!(asked.error_code, 79);
    let id = asked.member_id.to_string();
    assert_eq!(wire.heartbeat(&group, &id, 0), 25);
    assert_eq!(wire.leave(&group, &id), 0);
    let late = patiently(&[], || (wire.join(&group, &id).error_code, ()));
    assert_eq!(late.0, 25);
}

/// `ClassicGroup.validateDeleteGroup`: who only has an id is nobody who could be in the way.
#[test]
fn a_group_of_which_only_ids_were_given_out_is_deleted() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    assert_eq!(wire.join(&group, "").error_code, 79);
    assert_eq!(wire.delete_group(&group), 0);
    let member = wire.reader_of(&group, &topic);
    assert_eq!(wire.leave(&group, &member), 0);
    assert_eq!(wire.join(&group, "").error_code, 79);
    assert_eq!(wire.delete_group(&group), 0);
}

/// `KafkaApis.handleOffsetCommitRequest`: what is for no partition that there is does not reach the coordinator.
#[test]
fn a_commit_for_nothing_makes_no_group() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    let none = unique("none");
    assert_eq!(wire.commit_plainly(&group, &none, 0, 1), 3);
    assert_eq!(wire.commit_plainly(&group, &topic, 99, 1), 3);
    let nothing = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(&group)))
        .with_generation_id_or_member_epoch(-1);
    assert_eq!(wire.ask(8, nothing).topics.len(), 0);
    assert_eq!(wire.listed(&group, &[], &[]), None);
    let deleted = patiently(&[14, 15, 16], || (wire.delete_group(&group), ()));
    assert_eq!(deleted.0, 69);
}
