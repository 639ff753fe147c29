//! Which requests faults strike, and where in their answers errors are, as clients meet it.

use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, GroupId, LeaveGroupRequest, MetadataRequest, OffsetDeleteRequest,
    OffsetFetchRequest, TopicName,
};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, ErrorLevel, Fault};
use uuid::Uuid;

use crate::wire::{Wire, batch, text};

const TOPICS: [&str; 2] = ["other", "t"];

fn start() -> EmbeddedKafka {
    let builder = EmbeddedKafka::builder();
    let builder = TOPICS
        .into_iter()
        .fold(builder, |b, topic| b.topic(topic, 1));
    builder.start().unwrap()
}

fn wire(kafka: &EmbeddedKafka) -> Wire {
    Wire::to(kafka.bootstrap_servers())
}

/// One with this `client.id`.
fn named(kafka: &EmbeddedKafka, client_id: &'static str) -> Wire {
    let mut wire = wire(kafka);
    wire.client_id = client_id;
    wire
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A fetch of one topic in a session, by name up to version 12, else by id.
fn fetch(session: (i32, i32), topic: Option<(&str, Uuid)>, version: i16) -> FetchRequest {
    let topic = topic.map(|(name, id)| {
        let partition = FetchPartition::default().with_partition_max_bytes(1);
        let topic = FetchTopic::default().with_partitions(vec![partition]);
        if version < 13 {
            topic.with_topic(topic_name(name))
        } else {
            topic.with_topic_id(id)
        }
    });
    FetchRequest::default()
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(topic.into_iter().collect())
}

/// The error code of each partition in an answer.
fn codes(answer: &FetchResponse) -> Vec<i16> {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.error_code).collect()
}

/// The topics with their ids, in order.
fn topics(wire: &mut Wire) -> Vec<(&'static str, Uuid)> {
    let answer = wire.ask(12, MetadataRequest::default().with_topics(None));
    let ids = answer.topics.iter().map(|topic| topic.topic_id);
    TOPICS.into_iter().zip(ids).collect()
}

#[test]
fn a_fetch_is_struck_by_the_topics_name_also_by_id_and_in_a_session() {
    for version in [12, 16] {
        let kafka = start();
        let mut wire = wire(&kafka);
        let topics = topics(&mut wire);
        // With an epoch of -1 there is no session.
        let sessions: Vec<_> = topics
            .iter()
            .map(|topic| {
                wire.ask(version, fetch((0, 0), Some(*topic), version))
                    .session_id
            })
            .collect();
        let refused = Fault::fail(ApiKey::Fetch, ErrorCode::UnknownTopicOrPartition);
        let refused = kafka.inject(refused.topic("t"));
        let mut told = Vec::new();
        for (topic, session) in topics.into_iter().zip(sessions) {
            let alone = fetch((0, -1), Some(topic), version);
            told.push(codes(&wire.ask(version, alone)));
            let goes_on = fetch((session, 1), None, version);
            told.push(codes(&wire.ask(version, goes_on)));
        }
        // Of a session there is no news of a partition but the error.
        assert_eq!(
            told,
            [vec![0], vec![], vec![3], vec![3]],
            "version {version}"
        );
        let struck = refused.struck();
        assert_eq!(struck.len(), 2);
        assert!(
            struck.iter().all(|fetch| fetch.topics == ["t"]),
            "{struck:?}"
        );
    }
}

#[test]
fn configurations_are_struck_by_their_topic() {
    let kafka = start();
    let observed = kafka.inject(Fault::observe(None).topic("t"));
    let refused = Fault::fail(
        ApiKey::IncrementalAlterConfigs,
        ErrorCode::TopicAuthorizationFailed,
    );
    kafka.inject(refused.topic("t"));
    let mut wire = wire(&kafka);
    let altered = TOPICS.map(|topic| wire.alter(topic, "retention.ms", 0, "1000"));
    assert_eq!(altered, [0, 29]);
    let values = TOPICS.map(|topic| wire.config(topic, "retention.ms"));
    assert_eq!(values, ["1000", "604800000"]);
    let kinds: Vec<_> = observed.seen().iter().map(|seen| seen.api).collect();
    let expected = [ApiKey::IncrementalAlterConfigs, ApiKey::DescribeConfigs];
    assert_eq!(kinds, expected);
}

#[test]
fn requests_are_struck_by_their_client() {
    let kafka = start();
    let refused = Fault::fail(ApiKey::Produce, ErrorCode::NotLeaderOrFollower);
    let refused = kafka.inject(refused.client_id("b").nth(2));
    let records = batch((-1, -1), -1, 1, false);
    let mut clients = ["a", "b"].map(|id| named(&kafka, id));
    let mut told = Vec::new();
    for _ in 0..3 {
        for client in &mut clients {
            told.push(client.produce(None, "t", 0, &records).0);
        }
    }
    assert_eq!(told, [0, 0, 0, 6, 0, 0], "a and b in turn");
    let seen = refused.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.client_id == "b"));
    assert_eq!(refused.struck(), [seen[1].clone()]);
}

#[test]
fn requests_are_struck_by_their_group_and_their_transactional_id() {
    let kafka = start();
    let refused = Fault::fail(ApiKey::OffsetCommit, ErrorCode::GroupAuthorizationFailed);
    let of_group = kafka.inject(refused.group("b"));
    let mut wire = wire(&kafka);
    let told = ["a", "b"].map(|group| wire.commit_plainly(group, "t", 0, 7));
    assert_eq!(told, [0, 30]);
    assert_eq!(of_group.struck()[0].groups, ["b"]);

    let producers = [wire.producer(), wire.producer()];
    let refused = Fault::fail(ApiKey::AddPartitionsToTxn, ErrorCode::OperationNotAttempted);
    let of_id = kafka.inject(refused.transactional_id(&producers[1].0));
    let told = producers.map(|(id, producer)| (wire.add_partitions(&id, producer, "t", &[0]), id));
    assert_eq!(told.each_ref().map(|(codes, _)| codes[0]), [0, 55]);
    assert_eq!(of_id.struck()[0].transactional_ids, [told[1].1.clone()]);
}

/// Which of 200 requests are refused by chance.
fn refused_by_chance(seed: u64) -> Vec<usize> {
    let kafka = start();
    let refused = Fault::fail(ApiKey::Produce, ErrorCode::NotLeaderOrFollower);
    let refused = kafka.inject(refused.one_in(10, seed));
    let mut wire = wire(&kafka);
    let records = batch((-1, -1), -1, 1, false);
    let codes: Vec<_> = (0..200)
        .map(|_| wire.produce(None, "t", 0, &records).0)
        .collect();
    let numbers: Vec<_> = (0..codes.len()).filter(|at| codes[*at] == 6).collect();
    assert_eq!(refused.struck().len(), numbers.len());
    numbers
}

#[test]
fn chance_strikes_the_same_requests_in_each_run() {
    let struck = refused_by_chance(7);
    assert!((5..50).contains(&struck.len()), "{struck:?}");
    assert_eq!(refused_by_chance(7), struck);
    assert_ne!(refused_by_chance(8), struck);
}

#[test]
fn a_fetch_fails_as_a_whole_if_the_fault_says_so() {
    let kafka = start();
    let mut wire = wire(&kafka);
    let topic = topics(&mut wire)[1];
    let session = wire.ask(16, fetch((0, 0), Some(topic), 16)).session_id;
    let forgotten = Fault::fail(ApiKey::Fetch, ErrorCode::FetchSessionIdNotFound);
    let forgotten = kafka.inject(forgotten.level(ErrorLevel::Answer));
    let answer = wire.ask(16, fetch((session, 1), None, 16));
    assert_eq!((answer.error_code, answer.session_id), (70, 0));
    assert!(answer.responses.is_empty());
    // Before version 7 there is no such place.
    let answer = wire.ask(6, fetch((0, 0), Some(topic), 6));
    assert_eq!((answer.error_code, codes(&answer)), (0, vec![70]));
    assert_eq!(forgotten.struck().len(), 2);
    forgotten.end();
    // It had no effect: the session is where it was.
    assert_eq!(wire.ask(16, fetch((session, 1), None, 16)).error_code, 0);
}

#[test]
fn an_error_is_at_the_level_that_the_fault_says() {
    let kafka = start();
    let mut wire = wire(&kafka);
    let mut at = |level, ask: &mut dyn FnMut(&mut Wire) -> (i16, Vec<i16>)| {
        let fault = Fault::fail(None, ErrorCode::UnstableOffsetCommit).level(level);
        let fault = kafka.inject(fault);
        let told = ask(&mut wire);
        assert_eq!(fault.struck().len(), 1);
        fault.end();
        told
    };
    let mut both = |ask: &mut dyn FnMut(&mut Wire) -> (i16, Vec<i16>)| {
        [ErrorLevel::Answer, ErrorLevel::Parts].map(|level| at(level, ask))
    };
    let metadata = both(&mut |wire| {
        let topic = MetadataRequestTopic::default().with_name(Some(topic_name("t")));
        let answer = wire.ask(
            13,
            MetadataRequest::default().with_topics(Some(vec![topic])),
        );
        let codes = answer.topics.iter().map(|topic| topic.error_code);
        (answer.error_code, codes.collect())
    });
    assert_eq!(metadata, [(88, vec![]), (0, vec![88])]);
    let leave = both(&mut |wire| {
        let member = MemberIdentity::default().with_member_id(text("m"));
        let request = LeaveGroupRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_members(vec![member]);
        let answer = wire.ask(4, request);
        let codes = answer.members.iter().map(|member| member.error_code);
        (answer.error_code, codes.collect())
    });
    assert_eq!(leave, [(88, vec![]), (0, vec![88])]);
    let offsets = both(&mut |wire| {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name("t"))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(Some(vec![topic]));
        let answer = wire.ask(7, request);
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let codes = partitions.map(|partition| partition.error_code);
        (answer.error_code, codes.collect())
    });
    assert_eq!(offsets, [(88, vec![]), (0, vec![88])]);
    let of_groups = both(&mut |wire| {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(topic_name("t"))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(Some(vec![topic]));
        let answer = wire.ask(8, OffsetFetchRequest::default().with_groups(vec![group]));
        let group = &answer.groups[0];
        let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
        let codes = partitions.map(|partition| partition.error_code);
        (group.error_code, codes.collect())
    });
    assert_eq!(of_groups, [(88, vec![]), (0, vec![88])]);
}

#[test]
fn offsets_are_not_deleted_at_the_level_that_the_fault_says() {
    let kafka = start();
    let mut wire = wire(&kafka);
    assert_eq!(wire.commit_plainly("g", "t", 0, 7), 0);
    let mut told = Vec::new();
    for level in [ErrorLevel::Answer, ErrorLevel::Parts] {
        let fault = Fault::fail(ApiKey::OffsetDelete, ErrorCode::GroupAuthorizationFailed);
        let fault = kafka.inject(fault.level(level));
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(topic_name("t"))
            .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(vec![topic]);
        let answer = wire.ask(0, request);
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let codes: Vec<_> = partitions.map(|partition| partition.error_code).collect();
        told.push((answer.error_code, codes));
        fault.end();
    }
    assert_eq!(told, [(30, vec![]), (0, vec![30])]);
    assert_eq!(wire.committed("g", "t", false), (0, 7));
}

#[test]
fn what_was_asked_is_told_by_kind_client_and_time() {
    let kafka = start();
    let mut clients = ["a", "b"].map(|id| named(&kafka, id));
    let hour = Duration::from_secs(3_600);
    for client in &mut clients {
        client.ask(12, MetadataRequest::default().with_topics(None));
        client.commit_plainly("g", "t", 0, 7);
        kafka.advance_clock(hour);
    }
    let seen = kafka.requests();
    let asked: Vec<_> = seen
        .iter()
        .map(|seen| (seen.client_id.as_str(), seen.api))
        .collect();
    let expected = [
        ("a", ApiKey::Metadata),
        ("a", ApiKey::OffsetCommit),
        ("b", ApiKey::Metadata),
        ("b", ApiKey::OffsetCommit),
    ];
    assert_eq!(asked, expected);
    assert!(seen.is_sorted_by_key(|seen| seen.at));
    let hour = i64::try_from(hour.as_millis()).unwrap();
    assert!(seen[2].at - seen[1].at >= hour && seen[1].at - seen[0].at < hour);
}
