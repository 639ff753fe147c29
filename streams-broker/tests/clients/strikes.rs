//! Which of several clients, and which of their requests, faults strike.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};

use crate::client::{PATIENCE, config, consumer};

fn start() -> EmbeddedKafka {
    EmbeddedKafka::builder().topic("t", 1).start().unwrap()
}

/// Whether a producer of this name, as client and as its transactional id, may begin.
fn begins(kafka: &EmbeddedKafka, client: &str, id: &str) -> bool {
    let mut config = config(kafka);
    config.set("client.id", client).set("transactional.id", id);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).is_ok()
}

#[test]
fn a_client_a_transactional_id_and_a_group_are_struck_and_no_other() {
    let kafka = start();
    // Which no client repeats.
    let refused = || {
        let error = ErrorCode::TransactionalIdAuthorizationFailed;
        Fault::fail(ApiKey::InitProducerId, error)
    };
    let of_client = kafka.inject(refused().client_id("b"));
    let of_id = kafka.inject(refused().transactional_id("y"));
    let begun = [("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")]
        .map(|(client, id)| begins(&kafka, client, id));
    assert_eq!(begun, [true, false, false, true]);
    let struck = of_client.struck();
    assert_eq!((struck.len(), struck[0].client_id.as_str()), (1, "b"));
    assert_eq!(of_id.struck()[0].transactional_ids, ["y"]);

    let refused = Fault::fail(ApiKey::OffsetCommit, ErrorCode::GroupAuthorizationFailed);
    let of_group = kafka.inject(refused.group("b"));
    let committed = ["a", "b"].map(|group| commits(&consumer(&kafka, group, "read_committed")));
    assert_eq!(committed, [true, false]);
    assert_eq!(of_group.struck()[0].groups, ["b"]);
}

/// Whether an offset is committed.
fn commits(consumer: &BaseConsumer) -> bool {
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset("t", 0, Offset::Offset(7))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).is_ok()
}

/// Which of 40 commits of one consumer fail by chance.
fn failed_by_chance(seed: u64) -> Vec<usize> {
    let kafka = start();
    let refused = Fault::fail(ApiKey::OffsetCommit, ErrorCode::GroupAuthorizationFailed);
    kafka.inject(refused.one_in(4, seed));
    let consumer = consumer(&kafka, "g", "read_committed");
    (0..40).filter(|_| !commits(&consumer)).collect()
}

#[test]
fn chance_strikes_the_same_commits_in_each_run() {
    let failed = failed_by_chance(7);
    assert!((3..30).contains(&failed.len()), "{failed:?}");
    assert_eq!(failed_by_chance(7), failed);
    assert_ne!(failed_by_chance(8), failed);
}

#[test]
fn a_test_may_assert_on_what_a_client_asked_for() {
    let kafka = start();
    assert!(begins(&kafka, "a", "x"));
    kafka.advance_clock(PATIENCE);
    assert!(begins(&kafka, "b", "y"));
    let seen = kafka.requests();
    let mut begun = seen
        .iter()
        .filter(|request| request.api == ApiKey::InitProducerId);
    let (first, second) = (begun.next().unwrap(), begun.next().unwrap());
    assert_eq!(
        (first.client_id.as_str(), &first.transactional_ids[..]),
        ("a", &["x".to_owned()][..])
    );
    assert_eq!(second.client_id, "b");
    assert!(second.at - first.at >= i64::try_from(PATIENCE.as_millis()).unwrap());
    // Each client asks for the versions first.
    for client in ["a", "b"] {
        let mut asked = seen.iter().filter(|request| request.client_id == client);
        assert_eq!(
            asked.next().map(|request| request.api),
            Some(ApiKey::ApiVersions)
        );
    }
}
