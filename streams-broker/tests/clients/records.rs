//! Records and topics.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;
use streams_broker::EmbeddedKafka;

use crate::client::{PATIENCE, assigned, config, producer, send, take};

#[test]
fn records_come_back_in_order_with_keys_and_headers() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let producer = producer(&kafka);
    for index in 0..1000 {
        send(&producer, "t", 0, &format!("value {index}"));
    }
    producer.flush(PATIENCE).unwrap();
    let values = take(&assigned(&kafka, "t", 1, "read_uncommitted"), 1000);
    let expected: Vec<_> = (0..1000).map(|index| format!("value {index}")).collect();
    assert_eq!(values, expected);
}

#[tokio::test]
async fn topics_are_administered() {
    let kafka = EmbeddedKafka::start().unwrap();
    let admin: AdminClient<DefaultClientContext> = config(&kafka).create().unwrap();
    let options = AdminOptions::new();
    let created = admin
        .create_topics(
            &[
                NewTopic::new("a", 3, TopicReplication::Fixed(1)).set("retention.ms", "-1"),
                NewTopic::new("b", 1, TopicReplication::Fixed(3)),
            ],
            &options,
        )
        .await
        .unwrap();
    assert_eq!(created[0], Ok("a".to_owned()));
    assert_eq!(
        created[1],
        Err(("b".to_owned(), RDKafkaErrorCode::InvalidReplicationFactor))
    );
    let again = admin
        .create_topics(
            &[NewTopic::new("a", 1, TopicReplication::Fixed(1))],
            &options,
        )
        .await
        .unwrap();
    assert_eq!(
        again[0],
        Err(("a".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))
    );
    let grown = admin
        .create_partitions(&[NewPartitions::new("a", 5)], &options)
        .await
        .unwrap();
    assert_eq!(grown[0], Ok("a".to_owned()));
    let metadata = admin.inner().fetch_metadata(Some("a"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 5);
    let configs = admin
        .describe_configs(
            &[
                rdkafka::admin::ResourceSpecifier::Topic("a"),
                rdkafka::admin::ResourceSpecifier::Broker(1),
            ],
            &options,
        )
        .await
        .unwrap();
    assert_eq!(
        configs[0]
            .as_ref()
            .unwrap()
            .get("retention.ms")
            .unwrap()
            .value
            .as_deref(),
        Some("-1")
    );
    let longest = configs[1]
        .as_ref()
        .unwrap()
        .get("transaction.max.timeout.ms")
        .unwrap()
        .value
        .clone();
    assert_eq!(longest.as_deref(), Some("900000"));
    let deleted = admin
        .delete_topics(&["a", "nothing"], &options)
        .await
        .unwrap();
    assert_eq!(deleted[0], Ok("a".to_owned()));
    assert_eq!(
        deleted[1],
        Err((
            "nothing".to_owned(),
            RDKafkaErrorCode::UnknownTopicOrPartition
        ))
    );
}
