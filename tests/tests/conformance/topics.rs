//! Topics that are created, grow and go.

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;
use streams_tests::{Isolation, Sender, block_on, wait_until};

use crate::{SOON, cluster};

#[test]
fn a_topic_that_cannot_be_is_refused_with_the_code_that_says_why() {
    let existing = cluster().topic("exists.dotted", 1);
    let create = |name: &str, partitions, replication| {
        cluster()
            .create(&NewTopic::new(
                name,
                partitions,
                TopicReplication::Fixed(replication),
            ))
            .unwrap_err()
    };
    assert_eq!(
        create(&existing, 1, 1),
        RDKafkaErrorCode::TopicAlreadyExists
    );
    let long = "x".repeat(250);
    for name in ["bad name", ".", long.as_str(), &existing.replace('.', "_")] {
        assert_eq!(create(name, 1, 1), RDKafkaErrorCode::InvalidTopic, "{name}");
    }
    assert_eq!(
        create(&cluster().unique("none"), 0, 1),
        RDKafkaErrorCode::InvalidPartitions
    );
    assert_eq!(
        create(&cluster().unique("replicas"), 1, 9_999),
        RDKafkaErrorCode::InvalidReplicationFactor
    );
    let unknown = cluster().unique("config");
    let unknown =
        NewTopic::new(&unknown, 1, TopicReplication::Fixed(1)).set("no.such.setting", "1");
    assert_eq!(
        cluster().create(&unknown),
        Err(RDKafkaErrorCode::InvalidConfig)
    );
}

#[test]
fn a_topic_grows_and_goes() {
    let topic = cluster().topic("grows", 1);
    let admin = cluster().admin();
    let options = rdkafka::admin::AdminOptions::new().operation_timeout(Some(SOON));
    let grow = |count| cluster().grow(&topic, count);
    grow(3).unwrap();
    assert_eq!(grow(2), Err(RDKafkaErrorCode::InvalidPartitions));
    wait_until("it has three partitions", SOON, || {
        cluster().end_offsets(&topic, Isolation::Committed).len() == 3
    });
    let delete = || {
        let results = block_on(admin.delete_topics(&[&topic], &options)).unwrap();
        results
            .into_iter()
            .next()
            .unwrap()
            .map_err(|(_, code)| code)
    };
    delete().unwrap();
    assert_eq!(delete(), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    let gone = Sender::new(
        cluster(),
        &[
            ("message.timeout.ms", "3000"),
            ("topic.metadata.propagation.max.ms", "0"),
        ],
    );
    let sent = gone.producer().send(
        BaseRecord::<[u8], str>::to(&topic)
            .partition(0)
            .payload("x"),
    );
    assert!(sent.is_err() || gone.deliveries().iter().all(Result::is_err));
}
