//! Partitions that the group has left to nobody: the member that deals them out was told less than there is.

use crate::fixture::{Fixture, SOON};
use crate::wire::{Wire, patiently, text};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::Encodable;
use std::time::Duration;
use streams::runtime::Event;
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Oracle, TestCluster, wait_until};

/// Whether a member was told its part, and there is nothing in it.
fn has_nothing(event: &Event) -> bool {
    matches!(event, Event::Assigned { partitions, .. } if partitions.is_empty())
}

/// The leader looks the topics up between the answer of JoinGroup and its SyncGroup: a broker that does not know the input
/// answers just then.
#[track_caller]
fn leader_is_told_that_there_is_no_input(members: usize) {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 4);
    fixture.properties = vec![
        ("client.id", "a"),
        ("heartbeat.interval.ms", "100"),
        // It is the leader's look that is answered wrongly, and not one that comes by time.
        ("topic.metadata.refresh.interval.ms", "60000"),
    ];
    let client = "a-0-consumer";
    let mut handles = Vec::new();
    for _ in 1..members {
        let topology = fixture.mapping(&fixture.builder(), str::to_owned);
        handles.push(fixture.start(topology));
    }
    wait_until("the first ones have the partitions", SOON, || {
        fixture.count(|e| matches!(e, Event::Assigned { .. })) >= members - 1
    });
    let joined = kafka.inject(Fault::hold_answer(ApiKey::JoinGroup).client_id(client));
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    handles.push(fixture.start(topology));
    assert!(joined.wait_until_struck(u64::try_from(members).unwrap(), SOON));
    let unknown = Fault::fail(ApiKey::Metadata, ErrorCode::UnknownTopicOrPartition);
    let unknown = kafka.inject(unknown.client_id(client).first(1));
    joined.release();
    wait_until("nothing is dealt out", SOON, || {
        fixture.count(has_nothing) >= members
    });
    assert_eq!(unknown.struck().len(), 1);

    fixture.produce(4, 400);
    wait_until("everything is committed", SOON, || {
        fixture.outputs().len() >= 400
    });
    for handle in handles {
        fixture.stop(handle);
    }
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
}

#[test]
fn a_member_alone_that_was_told_there_is_no_input_reads_it_all_the_same() {
    leader_is_told_that_there_is_no_input(1);
}

#[test]
fn members_whose_leader_was_told_there_is_no_input_read_it_all_the_same() {
    leader_is_told_that_there_is_no_input(2);
}

/// A member that leads its group, keeps nothing for itself, and deals to each other one no more than the first partitions.
struct Miser {
    wire: Wire,
    /// The topic, and how many of its partitions are dealt.
    deals: (String, i32),
    group: String,
    member: String,
    generation: i32,
}

impl Miser {
    fn join(cluster: &TestCluster, group: &str, deals: (String, i32)) -> Self {
        let mut miser = Self {
            wire: Wire::to(cluster.bootstrap_servers()),
            deals,
            group: group.to_owned(),
            member: String::new(),
            generation: -1,
        };
        // Asked for the first time, a cluster makes the topic in which it keeps its groups.
        let coordinator = FindCoordinatorRequest::default().with_key(text(group));
        miser.wire.ask(3, coordinator);
        miser.join_again();
        miser
    }

    fn group(&self) -> GroupId {
        GroupId(text(&self.group))
    }

    /// Takes part in a rebalance, as its leader.
    fn join_again(&mut self) {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 255, 255, 255, 255]));
        let request = JoinGroupRequest::default()
            .with_group_id(self.group())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_group_instance_id(None)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        // The coordinator is looked for, or gives the member its id.
        let (_, joined) = patiently(&[14, 15, 16, 79], || {
            let request = request.clone().with_member_id(text(&self.member));
            let joined = self.wire.ask(5, request);
            if joined.error_code == 79 {
                self.member = joined.member_id.to_string();
            }
            (joined.error_code, joined)
        });
        assert_eq!((joined.error_code, &joined.leader), (0, &joined.member_id));
        self.member = joined.member_id.to_string();
        self.generation = joined.generation_id;
        let dealt = |member: &str| {
            let bytes = match member == self.member {
                true => Bytes::new(),
                false => self.assignment(),
            };
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(bytes)
        };
        let request = SyncGroupRequest::default()
            .with_group_id(self.group())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.member))
            .with_group_instance_id(None)
            .with_assignments(joined.members.iter().map(|m| dealt(&m.member_id)).collect());
        assert_eq!(self.wire.ask(3, request).error_code, 0);
    }

    /// What each other member gets, in the consumers' protocol.
    fn assignment(&self) -> Bytes {
        let (topic, partitions) = &self.deals;
        let partitions: Vec<i32> = (0..*partitions).collect();
        let topic = TopicPartition::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(partitions);
        let assignment =
            ConsumerProtocolAssignment::default().with_assigned_partitions(vec![topic]);
        let mut bytes = BytesMut::new();
        // Its version is in front.
        bytes.put_i16(1);
        assignment.encode(&mut bytes, 1).unwrap();
        bytes.freeze()
    }

    /// Whether the group rebalances.
    fn is_asked_to_join(&mut self) -> bool {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.member))
            .with_group_instance_id(None);
        match self.wire.ask(3, request).error_code {
            0 => false,
            27 => true,
            other => panic!("a heartbeat is answered {other}"),
        }
    }

    fn leave(mut self) {
        let request = LeaveGroupRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(&self.member));
        assert_eq!(self.wire.ask(1, request).error_code, 0);
    }
}

/// A job of one member, in a group whose leader deals only so many of the four partitions, until it is asked to deal anew.
#[track_caller]
fn partitions_are_nobodys(dealt: i32) {
    let mut fixture = Fixture::new(4);
    fixture.properties = vec![("heartbeat.interval.ms", "200")];
    let deals = (fixture.input.clone(), dealt);
    let mut leader = Miser::join(fixture.cluster, &fixture.application, deals);
    let builder = fixture.builder();
    // It has work that is not committed when it leaves.
    builder.checkpoint_interval(Duration::from_secs(19));
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology);
    wait_until("the job joins", SOON, || leader.is_asked_to_join());
    leader.join_again();
    let has_its_part = |e: &Event| {
        let dealt = usize::try_from(dealt).unwrap();
        matches!(e, Event::Assigned { partitions, .. } if partitions.len() == dealt)
    };
    wait_until("it has its part", SOON, || {
        assert!(!leader.is_asked_to_join());
        fixture.count(has_its_part) >= 1
    });
    fixture.produce(4, 400);
    // That is what it has the group do: no member has come or gone.
    wait_until("the partitions are to be dealt anew", 3 * SOON, || {
        leader.is_asked_to_join()
    });
    leader.leave();
    fixture.produce(4, 400);
    wait_until("the job has them all", SOON, || {
        fixture.count(|e| matches!(e, Event::Assigned { partitions, .. } if partitions.len() == 4))
            >= 1
    });
    wait_until("everything is committed", SOON, || {
        fixture.outputs().len() >= 800
    });
    let summary = fixture.stop(handle);
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert_eq!(summary.recoveries, 0);
}

#[test]
fn a_member_that_got_nothing_while_others_have_nothing_has_the_group_deal_anew() {
    partitions_are_nobodys(0);
}

#[test]
fn a_member_that_works_has_the_group_deal_anew_what_is_nobodys() {
    partitions_are_nobodys(2);
}

/// A group that has dealt everything out is not asked again, and nobody leaves it.
#[test]
fn a_group_that_has_dealt_out_everything_is_left_in_peace() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 4);
    let described = kafka.inject(Fault::observe(ApiKey::DescribeGroups));
    let left = kafka.inject(Fault::observe(ApiKey::LeaveGroup));
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    fixture.produce(4, 400);
    assert!(described.wait_until_struck(1, SOON));
    // An answer that came too late is asked for again.
    let silence = Duration::from_secs(5);
    let mut asked = (1..10).filter(|n| !described.wait_until_struck(n + 1, silence));
    assert!(asked.next().is_some());
    assert_eq!(left.struck().len(), 0);
    fixture.stop(handle);
}
