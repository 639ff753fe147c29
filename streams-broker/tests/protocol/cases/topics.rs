//! Topics.

use std::collections::BTreeMap;

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
    TopicName,
};
use uuid::Uuid;

use crate::wire::{Wire, batch, patiently, text, unique};

#[test]
fn topics_that_cannot_be_are_refused() {
    let mut wire = Wire::new();
    let name = unique("x.y");
    assert_eq!(wire.create(&name, 1, 1, &[]), 0);
    assert_eq!(wire.create(&name, 1, 1, &[]), 36);
    for bad in ["", ".", "a b", &"x".repeat(250), &name.replace('.', "_")] {
        assert_eq!(wire.create(bad, 1, 1, &[]), 17, "{bad}");
    }
    for partitions in [0, -2] {
        assert_eq!(wire.create(&unique("p"), partitions, 1, &[]), 37);
    }
    for replicas in [0, 3] {
        assert_eq!(wire.create(&unique("r"), 1, replicas, &[]), 38);
    }
    assert_eq!(
        wire.create(&unique("c"), 1, 1, &[("no.such.config", "1")]),
        40
    );
    assert_eq!(
        wire.create(&unique("c"), 1, 1, &[("retention.ms", "soon")]),
        40
    );
    assert_eq!(wire.create(&unique("d"), -1, -1, &[]), 0);
}

fn creatable(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

/// The codes, by the names.
fn create_all(wire: &mut Wire, topics: Vec<CreatableTopic>) -> BTreeMap<String, i16> {
    let request = CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(10_000);
    let answer = wire.ask(5, request);
    let codes = answer.topics.iter();
    codes
        .map(|topic| (topic.name.to_string(), topic.error_code))
        .collect()
}

/// `ControllerApis.createTopics` and `ReplicationControlManager.createTopics`.
#[test]
fn topics_that_are_not_asked_for_clearly_are_not_created() {
    let mut wire = Wire::new();
    let (twice, other) = (unique("twice"), unique("other"));
    let asked = vec![
        creatable(&twice, 1, 1),
        creatable(&other, 1, 1),
        creatable(&twice, 1, 1),
    ];
    let created = create_all(&mut wire, asked);
    let expected = BTreeMap::from([(twice.clone(), 42), (other, 0)]);
    assert_eq!(created, expected);
    assert_eq!(wire.create(&twice, 1, 1, &[]), 0);
    for (partitions, replicas) in [(1, 1), (1, -1), (-1, 1)] {
        let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
        let name = unique("assigned");
        let asked = creatable(&name, partitions, replicas).with_assignments(vec![assignment]);
        let expected = BTreeMap::from([(name, 42)]);
        assert_eq!(create_all(&mut wire, vec![asked]), expected);
    }
    // So many are refused, of all topics of a request together.
    let asked = ["a", "b"].map(|name| creatable(&unique(name), 5_000, 1));
    let refused = create_all(&mut wire, asked.to_vec());
    assert!(refused.values().all(|code| *code == 44), "{refused:?}");
    assert_eq!(wire.create("__cluster_metadata", 1, 1, &[]), 42);
}

#[test]
fn the_coordinators_topics_are_not_created_by_hand() {
    let mut wire = Wire::new();
    let (id, _) = wire.producer();
    wire.find_coordinator(&id, 0);
    for name in ["__consumer_offsets", "__transaction_state"] {
        assert_eq!(wire.create(name, 1, 1, &[]), 36, "{name}");
    }
}

#[test]
fn partitions_can_only_be_added() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.grow(&topic, 2), 37);
    assert_eq!(wire.grow(&topic, 1), 37);
    assert_eq!(wire.grow(&topic, 4), 0);
    assert_eq!(wire.grow(&unique("nothing"), 4), 3);
}

/// `ReplicationControlManager.createPartitions`
#[test]
fn partitions_are_added_where_there_are_brokers() {
    const INVALID_ASSIGNMENT: i16 = 39;
    const INVALID_REQUEST: i16 = 42;
    let mut wire = Wire::new();
    let topic = wire.topic();
    let asked = |count, brokers: Option<&[&[i32]]>| {
        let assignment = |ids: &&[i32]| {
            let ids = ids.iter().copied().map(BrokerId);
            CreatePartitionsAssignment::default().with_broker_ids(ids.collect())
        };
        CreatePartitionsTopic::default()
            .with_name(TopicName(text(&topic)))
            .with_count(count)
            .with_assignments(brokers.map(|brokers| brokers.iter().map(assignment).collect()))
    };
    let mut grow = |topics| {
        let request = CreatePartitionsRequest::default()
            .with_topics(topics)
            .with_timeout_ms(10_000)
            .with_validate_only(true);
        let results = wire.ask(3, request).results;
        let codes = results.iter().map(|result| result.error_code);
        codes.collect::<Vec<_>>()
    };
    assert_eq!(grow(vec![asked(3, Some(&[&[1]]))]), [0]);
    assert_eq!(grow(vec![asked(4, Some(&[&[1], &[1]]))]), [0]);
    for wrong in [
        asked(4, Some(&[&[1]])),
        asked(3, Some(&[&[1], &[1]])),
        asked(3, Some(&[])),
        asked(3, Some(&[&[9]])),
        asked(3, Some(&[&[1, 1]])),
        asked(3, Some(&[&[]])),
    ] {
        assert_eq!(grow(vec![wrong.clone()]), [INVALID_ASSIGNMENT], "{wrong:?}");
    }
    let twice = vec![asked(3, None), asked(4, None)];
    assert_eq!(grow(twice), [INVALID_REQUEST]);
}

#[test]
fn configurations_are_altered_one_by_one() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    assert_eq!(wire.alter(&topic, "retention.ms", 0, "5000"), 0);
    assert_eq!(wire.alter(&topic, "cleanup.policy", 2, "compact"), 0);
    let altered = patiently(&[-1], || {
        let policy = wire.config(&topic, "cleanup.policy");
        (if policy == "delete,compact" { 0 } else { -1 }, policy)
    });
    assert_eq!(altered.1, "delete,compact");
    assert_eq!(wire.config(&topic, "retention.ms"), "5000");
    assert_eq!(wire.alter(&topic, "cleanup.policy", 3, "delete"), 0);
    assert_eq!(wire.alter(&topic, "retention.ms", 1, ""), 0);
    let altered = patiently(&[-1], || {
        let retention = wire.config(&topic, "retention.ms");
        (if retention == "604800000" { 0 } else { -1 }, retention)
    });
    assert_eq!(altered.1, "604800000");
    assert_eq!(wire.config(&topic, "cleanup.policy"), "compact");
    assert_eq!(wire.alter(&topic, "no.such", 0, "1"), 40);
    assert_eq!(wire.alter(&topic, "retention.ms", 0, "soon"), 40);
    assert_eq!(wire.alter(&topic, "retention.ms", 2, "1"), 40);
    assert_eq!(wire.alter(&unique("nothing"), "retention.ms", 0, "1"), 3);
}

fn id_of(wire: &mut Wire, topic: &str) -> Uuid {
    let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    wire.ask(12, request).topics[0].topic_id
}

fn named(name: &str, id: Uuid) -> DeleteTopicState {
    DeleteTopicState::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(id)
}

fn delete_all(wire: &mut Wire, topics: Vec<DeleteTopicState>) -> Vec<i16> {
    let request = DeleteTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(10_000);
    let answer = wire.ask(6, request);
    let codes = answer.responses.iter().map(|topic| topic.error_code);
    codes.collect()
}

/// `ControllerApis.deleteTopics`: what is not clear is not deleted.
#[test]
fn a_topic_named_twice_or_by_name_and_id_is_not_deleted() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let (nil, foreign) = (Uuid::nil(), Uuid::from_u128(1 << 64 | 77));
    let twice = vec![named(&topic, nil), named(&topic, nil)];
    assert_eq!(delete_all(&mut wire, twice), [42]);
    assert_eq!(delete_all(&mut wire, vec![named(&topic, foreign)]), [42]);
    let nothing = DeleteTopicState::default().with_name(None);
    assert_eq!(delete_all(&mut wire, vec![nothing]), [42]);
    let id = id_of(&mut wire, &topic);
    let by_id = || {
        DeleteTopicState::default()
            .with_name(None)
            .with_topic_id(id)
    };
    assert_eq!(delete_all(&mut wire, vec![by_id(), by_id()]), [42]);
    let both = vec![by_id(), named(&topic, nil)];
    assert_eq!(delete_all(&mut wire, both), [42], "two topics in one");
    let both = vec![named(&topic, nil), by_id()];
    assert_eq!(delete_all(&mut wire, both), [42], "two topics in one");
    assert_eq!(delete_all(&mut wire, vec![named(&topic, nil)]), [0]);
}

/// `Partition.deleteRecordsOnLeader`: a compacted topic keeps the last record of each key.
#[test]
fn records_of_a_topic_that_is_only_compacted_are_not_deleted() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let records = batch((-1, -1), -1, 4, false);
    assert_eq!(wire.produce(None, &topic, 0, &records), (0, 0));
    let refused = |wire: &mut Wire, policy: &str| {
        assert_eq!(wire.alter(&topic, "cleanup.policy", 0, policy), 0);
        wire.config_soon(&topic, "cleanup.policy", policy);
        wire.delete(&topic, 0, 3)
    };
    let (code, start) = patiently(&[0], || refused(&mut wire, "compact"));
    assert_eq!((code, start), (44, -1));
    let (code, start) = patiently(&[44], || refused(&mut wire, "compact,delete"));
    assert_eq!((code, start), (0, 3));
}

/// `KafkaApis.handleTopicMetadataRequest`: a set of topics is asked for.
#[test]
fn a_topic_that_is_asked_for_twice_is_described_once() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(&topic))));
    let request = MetadataRequest::default().with_topics(Some(vec![asked.clone(), asked]));
    let answer = wire.ask(9, request);
    let names: Vec<_> = answer
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .collect();
    assert_eq!(names, [Some(TopicName(text(&topic)))]);
}

/// `MetadataCache.getTopicMetadata`: an illegal name is told from one that there is not.
#[test]
fn metadata_of_a_topic_that_cannot_be_is_refused() {
    let mut wire = Wire::new();
    let code = |wire: &mut Wire, version, topic: MetadataRequestTopic| {
        let request = MetadataRequest::default()
            .with_topics(Some(vec![topic]))
            .with_allow_auto_topic_creation(false);
        wire.ask(version, request).topics[0].error_code
    };
    for name in ["a b", "", ".."] {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        assert_eq!(code(&mut wire, 9, topic), 17, "{name:?}");
    }
    let nameless = MetadataRequestTopic::default().with_name(None);
    assert_eq!(code(&mut wire, 12, nameless.clone()), -1);
    let unknown = nameless.with_topic_id(Uuid::from_u128(1 << 64 | 78));
    assert_eq!(code(&mut wire, 12, unknown), 100);
}
