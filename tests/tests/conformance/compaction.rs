//! What compaction leaves of a topic. The log cleaner runs by itself; each case waits for what it should have done.

use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::producer::BaseRecord;
use streams_tests::{Isolation, ReadRecord, Sender, eventually, wait_until};

use crate::{SOON, cluster};

/// Later than any record before it by more than `segment.ms`, so that a segment begins.
const NEXT_SEGMENT: i64 = 10_000;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A compacted topic whose segments last for a second of its records' time.
fn compacted(name: &str, configs: &[(&str, &str)]) -> String {
    let name = cluster().unique(name);
    let mut topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("segment.ms", "1000")
        .set("min.cleanable.dirty.ratio", "0.01")
        .set("delete.retention.ms", "0");
    for (name, value) in configs {
        topic = topic.set(name, value);
    }
    cluster().create(&topic).unwrap();
    name
}

/// Sends records one batch each, at this time; `None` is a tombstone.
fn send(sender: &Sender, topic: &str, time: i64, records: &[(&str, Option<&str>)]) {
    for (key, value) in records {
        let record = BaseRecord::<str, str>::to(topic)
            .partition(0)
            .key(key)
            .timestamp(time);
        sender.send(match value {
            Some(value) => record.payload(value),
            None => record,
        });
        sender.flush();
    }
}

fn plain() -> Sender {
    Sender::new(cluster(), &[("linger.ms", "0")])
}

/// Offset, key and value of what is there.
fn content(topic: &str) -> Vec<(i64, String, String)> {
    let text = |bytes: Option<Vec<u8>>| {
        bytes.map_or("-".to_owned(), |bytes| String::from_utf8(bytes).unwrap())
    };
    let records = cluster().read(topic, Isolation::Uncommitted).into_iter();
    let all = records.map(
        |ReadRecord {
             offset, key, value, ..
         }| (offset, text(key), text(value)),
    );
    all.collect()
}

#[track_caller]
fn becomes(topic: &str, expected: &[(i64, &str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(offset, key, value)| (*offset, (*key).to_owned(), (*value).to_owned()))
        .collect();
    eventually(SOON, || content(topic) == expected);
    assert_eq!(content(topic), expected, "{topic}");
}

/// Returns when the cleaner has passed, which another topic shows.
fn cleaner_has_passed() {
    for _ in 0..2 {
        let topic = compacted("passed", &[]);
        let (sender, time) = (plain(), now());
        send(&sender, &topic, time, &[("a", Some("1")), ("a", Some("2"))]);
        send(&sender, &topic, time + NEXT_SEGMENT, &[("end", Some("0"))]);
        becomes(&topic, &[(1, "a", "2"), (2, "end", "0")]);
    }
}

#[test]
fn of_each_key_the_last_record_stays_at_its_offset() {
    let topic = compacted("latest", &[]);
    let (sender, time) = (plain(), now());
    let records = [
        ("a", Some("1")),
        ("b", Some("1")),
        ("a", Some("2")),
        ("c", Some("1")),
        ("b", Some("2")),
    ];
    send(&sender, &topic, time, &records);
    send(&sender, &topic, time + NEXT_SEGMENT, &[("a", Some("3"))]);
    // The last segment isn't looked at, so `a` at 2 stays.
    let expected = [(2, "a", "2"), (3, "c", "1"), (4, "b", "2"), (5, "a", "3")];
    becomes(&topic, &expected);
    assert_eq!(cluster().end_offsets(&topic, Isolation::Committed), [6]);
}

#[test]
fn records_of_one_batch_are_compacted_one_by_one_whatever_its_codec() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = compacted(codec, &[]);
        let batching = Sender::new(
            cluster(),
            &[("compression.type", codec), ("linger.ms", "200")],
        );
        let time = now();
        for (key, value) in [("a", "1"), ("b", "1"), ("a", "2")] {
            let record = BaseRecord::<str, str>::to(&topic)
                .partition(0)
                .key(key)
                .payload(value);
            batching.send(record.timestamp(time));
        }
        batching.flush();
        send(&plain(), &topic, time + NEXT_SEGMENT, &[("end", Some("0"))]);
        becomes(&topic, &[(1, "b", "1"), (2, "a", "2"), (3, "end", "0")]);
    }
}

#[test]
fn a_tombstone_goes_after_delete_retention_ms() {
    let kept = compacted("tombstone-kept", &[("delete.retention.ms", "3600000")]);
    let gone = compacted("tombstone-gone", &[]);
    let (sender, time) = (plain(), now());
    for topic in [&kept, &gone] {
        send(
            &sender,
            topic,
            time,
            &[("a", Some("1")), ("a", None), ("b", Some("1"))],
        );
        send(&sender, topic, time + NEXT_SEGMENT, &[("end", Some("0"))]);
        becomes(topic, &[(1, "a", "-"), (2, "b", "1"), (3, "end", "0")]);
    }
    // A second compaction, which new records cause.
    for topic in [&kept, &gone] {
        send(&sender, topic, time + NEXT_SEGMENT, &[("b", Some("2"))]);
        send(
            &sender,
            topic,
            time + 2 * NEXT_SEGMENT,
            &[("end", Some("1"))],
        );
    }
    becomes(&gone, &[(3, "end", "0"), (4, "b", "2"), (5, "end", "1")]);
    becomes(
        &kept,
        &[
            (1, "a", "-"),
            (3, "end", "0"),
            (4, "b", "2"),
            (5, "end", "1"),
        ],
    );
}

#[test]
fn nothing_above_the_last_stable_offset_is_compacted() {
    let topic = compacted("stable", &[]);
    let (sender, time) = (plain(), now());
    send(&sender, &topic, time, &[("a", Some("1")), ("a", Some("2"))]);
    let open = Sender::transactional(cluster(), &topic, &[("linger.ms", "0")]);
    open.begin();
    let time = time + NEXT_SEGMENT;
    send(&open, &topic, time, &[("t", Some("1"))]);
    send(&sender, &topic, time, &[("b", Some("1")), ("b", Some("2"))]);
    send(&sender, &topic, time + NEXT_SEGMENT, &[("end", Some("0"))]);
    let below = [(1, "a", "2"), (2, "t", "1")];
    let above = [(3, "b", "1"), (4, "b", "2"), (5, "end", "0")];
    becomes(&topic, &[&below[..], &above[..]].concat());
    cleaner_has_passed();
    becomes(&topic, &[&below[..], &above[..]].concat());
    open.commit();
    becomes(
        &topic,
        &[(1, "a", "2"), (2, "t", "1"), (4, "b", "2"), (5, "end", "0")],
    );
}

#[test]
fn records_of_an_aborted_transaction_go_and_supersede_nothing() {
    let topic = compacted("aborted", &[]);
    let (sender, time) = (plain(), now());
    send(&sender, &topic, time, &[("a", Some("1"))]);
    let aborting = Sender::transactional(cluster(), &topic, &[("linger.ms", "0")]);
    aborting.begin();
    send(&aborting, &topic, time, &[("a", Some("aborted"))]);
    aborting.abort();
    wait_until("the marker is there", SOON, || {
        cluster().end_offsets(&topic, Isolation::Committed) == [3]
    });
    send(&sender, &topic, time + NEXT_SEGMENT, &[("end", Some("0"))]);
    becomes(&topic, &[(0, "a", "1"), (3, "end", "0")]);
}

#[test]
fn what_is_younger_than_min_compaction_lag_ms_stays() {
    let topic = compacted("lag", &[("min.compaction.lag.ms", "3600000")]);
    let (sender, hour) = (plain(), 3_600_000);
    let old = now() - 2 * hour;
    send(&sender, &topic, old, &[("a", Some("1")), ("a", Some("2"))]);
    send(
        &sender,
        &topic,
        now(),
        &[("b", Some("1")), ("b", Some("2"))],
    );
    send(&sender, &topic, now() + NEXT_SEGMENT, &[("end", Some("0"))]);
    let expected = [(1, "a", "2"), (2, "b", "1"), (3, "b", "2"), (4, "end", "0")];
    becomes(&topic, &expected);
    cleaner_has_passed();
    becomes(&topic, &expected);
}

#[test]
fn the_segment_that_is_appended_to_is_not_compacted() {
    let topic = compacted("active", &[("segment.ms", "604800000")]);
    send(
        &plain(),
        &topic,
        now(),
        &[("a", Some("1")), ("a", Some("2")), ("a", Some("3"))],
    );
    cleaner_has_passed();
    becomes(&topic, &[(0, "a", "1"), (1, "a", "2"), (2, "a", "3")]);
}
