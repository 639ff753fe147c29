//! Topics: each test is one rule.
#![expect(clippy::unwrap_used, reason = "tests")]
use bytes::Bytes;

use super::*;
use crate::log::batch::tests::{densely_compressed, keyed};
use crate::log::{Beginning, Offered};

fn none() -> Topics {
    Topics::new(20, usize::MAX)
}

fn create(topics: &mut Topics, name: &str, partitions: i32) -> Result<Uuid, ResponseError> {
    topics
        .create(name, partitions, Settings::topic(), &Settings::broker())
        .map(|topic| topic.id)
        .map_err(|refused| refused.code)
}

#[test]
fn names_obey_kafkas_rules() {
    let mut topics = none();
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "ä", long.as_str()] {
        assert_eq!(
            create(&mut topics, name, 1),
            Err(ResponseError::InvalidTopicException)
        );
    }
    assert!(create(&mut topics, "a.b", 1).is_ok());
    assert_eq!(
        create(&mut topics, "a_b", 1),
        Err(ResponseError::InvalidTopicException)
    );
    assert_eq!(
        create(&mut topics, "a.b", 1),
        Err(ResponseError::TopicAlreadyExists)
    );
    assert_eq!(
        create(&mut topics, "other", 0),
        Err(ResponseError::InvalidPartitions)
    );
}

#[test]
fn a_recreated_topic_has_another_id() {
    let mut topics = none();
    let first = create(&mut topics, "a", 1);
    assert!(topics.delete("a").is_ok());
    assert_ne!(first, create(&mut topics, "a", 1));
    assert!(topics.delete("b").is_err());
}

#[test]
fn there_are_no_more_partitions_than_is_allowed() {
    let mut topics = none();
    assert!(create(&mut topics, "a", 15).is_ok());
    assert_eq!(
        create(&mut topics, "b", 6),
        Err(ResponseError::PolicyViolation)
    );
    assert!(create(&mut topics, "b", 5).is_ok());
    let grown = topics.grow("b", 6, true).map_err(|refused| refused.code);
    assert_eq!(grown, Err(ResponseError::PolicyViolation));
    assert!(topics.delete("a").is_ok());
    assert!(topics.grow("b", 20, false).is_ok());
}

/// A batch that a client has compressed better takes more bytes when it has been shortened.
#[test]
fn compaction_takes_no_more_bytes_than_there_may_be() {
    let plain = ["a", "z"].map(|keys| keyed(None, keys));
    let batches = [&[densely_compressed(&keyed(None, "ab"))], &plain[..]].concat();
    let held = batches.iter().map(Bytes::len).sum::<usize>();
    let mut settings = Settings::topic();
    assert_eq!(settings.set("cleanup.policy", "compact"), Ok(()));
    let compacted_at_most = |more: usize| {
        let beside = batches.len() * BATCH_BYTES + settings.footprint();
        let mut topics = Topics::new(20, held + more + beside);
        assert!(create(&mut topics, "a", 1).is_ok());
        let topic = topics.get_mut("a").unwrap();
        topic.configure(settings.clone(), &Settings::broker());
        let admission = topic.admission;
        for batch in &batches {
            let offered = Offered::from_client(batch, usize::MAX).unwrap();
            topics.reserve(offered.batch()).unwrap();
            let log = topics.log_mut("a", 0).unwrap();
            let appended = log.append(offered, admission, Beginning::Anywhere, 0);
            assert!(appended.is_ok());
        }
        topics.compact(Reach::Everything, 0);
        let bytes = topics.log("a", 0).unwrap().bytes();
        let left = held + more - bytes;
        assert!(topics.reserve_bytes(left + 1).is_err());
        assert_eq!(topics.reserve_bytes(left), Ok(()));
        bytes
    };
    assert_eq!(compacted_at_most(0), held);
    assert!(compacted_at_most(100) > held);
}

#[test]
fn partitions_only_grow() {
    let mut topics = none();
    assert!(create(&mut topics, "a", 2).is_ok());
    assert!(topics.grow("a", 2, false).is_err());
    assert!(topics.grow("a", 4, true).is_ok());
    assert_eq!(topics.get("a").map(Topic::partition_count), Some(2));
    assert!(topics.grow("a", 4, false).is_ok());
    assert_eq!(topics.get("a").map(Topic::partition_count), Some(4));
}
