//! Classic groups.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, SyncGroupRequest, TopicName,
};

use crate::wire::{Wire, patiently, text, unique};

const SESSION: i32 = 10_000;

impl Wire {
    pub(crate) fn join_with(
        &mut self,
        group: &str,
        member: &str,
        change: impl Fn(JoinGroupRequest) -> JoinGroupRequest,
    ) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(b"any"));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_session_timeout_ms(SESSION)
            .with_rebalance_timeout_ms(SESSION)
            .with_member_id(text(member))
            .with_group_instance_id(None)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let request = change(request);
        patiently(&[14, 15, 16], || {
            let response = self.ask(5, request.clone());
            (response.error_code, response)
        })
        .1
    }

    pub(crate) fn join(&mut self, group: &str, member: &str) -> JoinGroupResponse {
        self.join_with(group, member, |request| request)
    }

    pub(crate) fn join_static(&mut self, group: &str, member: &str) -> JoinGroupResponse {
        self.join_with(group, member, |request| {
            request.with_group_instance_id(Some(text("instance")))
        })
    }

    pub(crate) fn sync(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        assigned: &[&str],
    ) -> (i16, Bytes) {
        let assignment = |member: &&str| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(Bytes::copy_from_slice(member.as_bytes()))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_group_instance_id(None)
            .with_assignments(assigned.iter().map(assignment).collect());
        let response = self.ask(3, request);
        (response.error_code, response.assignment)
    }

    pub(crate) fn heartbeat(&mut self, group: &str, member: &str, generation: i32) -> i16 {
        self.heartbeat_as(group, member, generation, None)
    }

    pub(crate) fn heartbeat_as(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        instance: Option<&str>,
    ) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text));
        self.ask(3, request).error_code
    }

    pub(crate) fn leave(&mut self, group: &str, member: &str) -> i16 {
        let request = LeaveGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(text(member));
        self.ask(1, request).error_code
    }

    pub(crate) fn commit(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        topic: &str,
    ) -> i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(3)
            .with_committed_metadata(Some(text("")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(member))
            .with_group_instance_id(None)
            .with_topics(vec![topic]);
        self.ask(7, request).topics[0].partitions[0].error_code
    }

    /// A group whose coordinator answers.
    pub(crate) fn group(&mut self) -> String {
        let group = unique("g");
        self.find_coordinator(&group, 0);
        group
    }

    /// A new member of a group that has none: its id, which is the leader's, after its first generation is complete.
    pub(crate) fn alone(&mut self, group: &str) -> String {
        let asked = self.join(group, "");
        assert_eq!(asked.error_code, 79);
        let joined = self.join(group, &asked.member_id);
        assert_eq!((joined.error_code, joined.generation_id), (0, 1));
        assert_eq!(
            (&joined.leader, joined.members.len()),
            (&joined.member_id, 1)
        );
        let id = joined.member_id.to_string();
        assert_eq!(
            self.sync(group, &id, 1, &[&id]),
            (0, Bytes::copy_from_slice(id.as_bytes()))
        );
        id
    }
}

#[test]
fn a_member_is_known_by_its_id_and_generation() {
    let mut wire = Wire::new();
    let group = wire.group();
    let id = wire.alone(&group);
    assert_eq!(wire.heartbeat(&group, &id, 1), 0);
    assert_eq!(wire.heartbeat(&group, &id, 0), 22);
    assert_eq!(wire.heartbeat(&group, "stranger", 1), 25);
    assert_eq!(wire.heartbeat(&unique("unknown"), &id, 1), 25);
    assert_eq!(wire.sync(&group, &id, 2, &[]).0, 22);
    assert_eq!(wire.sync(&group, "stranger", 1, &[]).0, 25);
    assert_eq!(wire.join(&group, "stranger").error_code, 25);
    assert_eq!(wire.leave(&group, "stranger"), 25);
    assert_eq!(wire.leave(&group, &id), 0);
    assert_eq!(wire.heartbeat(&group, &id, 1), 25);
}

#[test]
fn a_newcomer_makes_the_others_join_again() {
    let (mut first, mut second) = (Wire::new(), Wire::new());
    let group = first.group();
    let leader = first.alone(&group);
    let newcomer = second.join(&group, "").member_id.to_string();
    let (joined, again) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.join(&group, &newcomer));
        assert_eq!(
            patiently(&[0], || (first.heartbeat(&group, &leader, 1), ())).0,
            27
        );
        let topic = first.topic();
        // Until it has joined again, its offsets are still taken.
        assert_eq!(first.commit(&group, &leader, 1, &topic), 0);
        assert_eq!(first.sync(&group, &leader, 1, &[]).0, 27);
        let again = first.join(&group, &leader);
        assert_eq!(first.commit(&group, &leader, 2, &topic), 27);
        (waiting.join().unwrap(), again)
    });
    assert_eq!(
        (
            joined.error_code,
            joined.generation_id,
            joined.members.len()
        ),
        (0, 2, 0)
    );
    assert_eq!(
        (
            again.generation_id,
            again.leader.to_string(),
            again.members.len()
        ),
        (2, leader.clone(), 2)
    );
    assert_eq!(first.heartbeat(&group, &leader, 2), 0);
    let synced = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.sync(&group, &newcomer, 2, &[]));
        assert_eq!(first.sync(&group, &leader, 2, &[&leader, &newcomer]).0, 0);
        waiting.join().unwrap()
    });
    assert_eq!(synced, (0, Bytes::copy_from_slice(newcomer.as_bytes())));
}

#[test]
fn offsets_of_a_live_group_are_its_members() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let group = wire.group();
    let commit = patiently(&[14, 15, 16], || (wire.commit(&group, "", -1, &topic), ()));
    assert_eq!(commit.0, 0);
    assert_eq!(wire.committed(&group, &topic, false), (0, 3));
    assert_eq!(wire.commit(&unique("other"), "", 1, &topic), 22);
    let id = wire.alone(&group);
    assert_eq!(wire.commit(&group, "", -1, &topic), 25);
    assert_eq!(wire.commit(&group, "stranger", 1, &topic), 25);
    assert_eq!(wire.commit(&group, &id, 0, &topic), 22);
    assert_eq!(wire.commit(&group, &id, 1, &topic), 0);
    assert_eq!(wire.commit(&group, &id, 1, &unique("nothing")), 3);
    // In a transaction a claim of no generation is taken, another generation is not.
    let (producer_id, producer) = wire.producer();
    assert_eq!(wire.add_offsets(&producer_id, producer, &group), 0);
    assert_eq!(
        wire.commit_offset(&producer_id, producer, &group, &topic, 4),
        0
    );
}

#[test]
fn a_join_must_make_sense() {
    let mut wire = Wire::new();
    let group = wire.group();
    let refused = |wire: &mut Wire, change: &dyn Fn(JoinGroupRequest) -> JoinGroupRequest| {
        wire.join_with(&group, "", change).error_code
    };
    assert_eq!(
        refused(&mut wire, &|join| join.with_session_timeout_ms(5)),
        26
    );
    assert_eq!(
        refused(&mut wire, &|join| join.with_session_timeout_ms(100_000_000)),
        26
    );
    assert_eq!(
        refused(&mut wire, &|join| join.with_group_id(GroupId(text("")))),
        24
    );
    assert_eq!(refused(&mut wire, &|join| join.with_protocols(vec![])), 23);
    assert_eq!(
        refused(&mut wire, &|join| join.with_protocol_type(text(""))),
        23
    );
    wire.alone(&group);
    assert_eq!(
        refused(&mut wire, &|join| join.with_protocol_type(text("connect"))),
        23
    );
    let other = JoinGroupRequestProtocol::default().with_name(text("sticky"));
    assert_eq!(
        refused(&mut wire, &|join| join.with_protocols(vec![other.clone()])),
        23
    );
}

#[test]
fn a_static_member_keeps_its_place_and_fences_its_former_self() {
    let mut wire = Wire::new();
    let group = wire.group();
    let joined = wire.join_static(&group, "");
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let former = joined.member_id.to_string();
    assert_eq!(wire.sync(&group, &former, 1, &[&former]).0, 0);
    let again = wire.join_static(&group, "");
    assert_eq!(
        (again.error_code, again.generation_id, again.members.len()),
        (0, 1, 0)
    );
    let present = again.member_id.to_string();
    assert_ne!(present, former);
    // The assignment is the one of the former.
    assert_eq!(
        wire.sync(&group, &present, 1, &[]),
        (0, Bytes::copy_from_slice(former.as_bytes()))
    );
    assert_eq!(wire.heartbeat_as(&group, &former, 1, Some("instance")), 82);
    assert_eq!(wire.heartbeat_as(&group, &present, 1, Some("other")), 25);
    assert_eq!(wire.heartbeat_as(&group, &present, 1, Some("instance")), 0);
    assert_eq!(wire.join_static(&group, &former).error_code, 82);
}

#[test]
fn an_unknown_group_has_no_offsets() {
    let mut wire = Wire::new();
    let (topic, group) = (wire.topic(), wire.group());
    assert_eq!(
        patiently(&[14, 15, 16], || wire.committed(&group, &topic, true)),
        (0, -1)
    );
}

/// Nobody was in the group, so nobody is waited for, not even who has an id and hasn't come back with it.
#[test]
fn the_first_join_of_a_group_does_not_wait_for_members_that_only_have_an_id() {
    let mut wire = Wire::new();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let first = wire.join(&group, "");
    let other = wire.join(&group, "");
    assert_eq!((first.error_code, other.error_code), (79, 79));
    let began = std::time::Instant::now();
    let joined = wire.join(&group, &first.member_id);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert!(began.elapsed() < Duration::from_secs(8), "it waited");
}
