//! Leaders' epochs: what a broker that was restarted tells those who knew it before.
//!
//! The cases read from one broker that was restarted once, when there were three records of epoch 0.

use std::sync::OnceLock;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchResponse, PartitionData};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    TopicName,
};
use uuid::Uuid;

use crate::kafka::{Own, own};
use crate::wire::{Wire, batch, now, patiently, text, unique};

const FENCED: i16 = 74;
const UNKNOWN: i16 = 75;
const OUT_OF_RANGE: i16 = 1;
/// The present epoch. The partition had no leader for a while, which was an epoch of its own.
const PRESENT: i32 = 2;

/// A broker that was restarted, and a topic of three partitions. The first has records 0 to 2 of epoch 0, then one record
/// and the marker of the transaction that record 2 belongs to; the second has never had any; the third has one record of
/// epoch 0 and nothing else.
struct Restarted {
    broker: Own,
    topic: String,
}

impl Restarted {
    fn new() -> Option<Self> {
        let broker = own(&[])?;
        let mut wire = Wire::to(broker.address());
        let topic = unique("epochs");
        assert_eq!(wire.create(&topic, 3, 1, &[]), 0);
        let plain = batch((-1, -1), -1, 2, false);
        for partition in [0, 2] {
            let written = patiently(&[3, 5, 6], || wire.produce(None, &topic, partition, &plain));
            assert_eq!(written, (0, 0));
        }
        let (id, producer) = wire.producer();
        let added = patiently(&[51], || {
            (wire.add_partitions(&id, producer, &topic, &[0])[0], ())
        });
        assert_eq!(added.0, 0);
        let open = batch(producer, 0, 1, true);
        assert_eq!(wire.produce(Some(&id), &topic, 0, &open), (0, 2));
        broker.restart();
        let mut wire = Wire::to(broker.address());
        next_millisecond();
        let one = batch((-1, -1), -1, 1, false);
        let written = patiently(&[3, 5, 6], || wire.produce(None, &topic, 0, &one));
        assert_eq!(written, (0, 3));
        next_millisecond();
        let ended = patiently(&[14, 15, 16, 51], || (wire.end(&id, producer, true), ()));
        assert_eq!(ended.0, 0);
        wire.until_stable(&topic, 0, 5);
        patiently(&[3, 5, 6], || (wire.list(&topic, 1, -1).0, ()));
        Some(Restarted { broker, topic })
    }
}

/// So that nothing has the time of what was written before.
fn next_millisecond() {
    let before = now();
    while now() <= before {
        std::thread::yield_now();
    }
}

fn restarted() -> Option<(Wire, &'static str)> {
    static RESTARTED: OnceLock<Option<Restarted>> = OnceLock::new();
    let restarted = RESTARTED.get_or_init(Restarted::new).as_ref()?;
    let wire = Wire::to(restarted.broker.address());
    Some((wire, &restarted.topic))
}

/// A fetch from a partition.
#[derive(Debug, Clone, Copy)]
struct Asked {
    partition: i32,
    offset: i64,
    leader: i32,
    /// The epoch of the last record that was read before.
    last: i32,
}

const FIRST: Asked = Asked {
    partition: 0,
    offset: 0,
    leader: -1,
    last: -1,
};

impl Asked {
    fn partition(self) -> FetchPartition {
        FetchPartition::default()
            .with_partition(self.partition)
            .with_fetch_offset(self.offset)
            .with_current_leader_epoch(self.leader)
            .with_last_fetched_epoch(self.last)
            .with_partition_max_bytes(1 << 20)
    }
}

impl Wire {
    fn metadata(&mut self, topic: &str) -> (Uuid, Vec<i32>) {
        let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
        let request = MetadataRequest::default().with_topics(Some(vec![asked]));
        let answer = self.ask(12, request).topics.remove(0);
        let mut partitions = answer.partitions;
        partitions.sort_by_key(|partition| partition.partition_index);
        let epochs = partitions.iter().map(|partition| partition.leader_epoch);
        (answer.topic_id, epochs.collect())
    }

    fn fetch_topic(&mut self, version: i16, topic: FetchTopic) -> FetchResponse {
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(100)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        self.ask(version, request)
    }

    fn fetch_after(&mut self, topic: &str, asked: Asked) -> PartitionData {
        let topic = FetchTopic::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(vec![asked.partition()]);
        let mut answer = self.fetch_topic(12, topic);
        answer.responses.remove(0).partitions.remove(0)
    }

    /// Error code, offset, and the epoch in which it was written.
    fn list_as(
        &mut self,
        topic: &str,
        partition: i32,
        leader: i32,
        timestamp: i64,
    ) -> (i16, i64, i32) {
        let asked = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(leader)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let answer = self.ask(9, request).topics.remove(0).partitions.remove(0);
        (answer.error_code, answer.offset, answer.leader_epoch)
    }

    /// Error code, epoch, and where it ends.
    fn end_of_epoch(
        &mut self,
        topic: &str,
        partition: i32,
        leader: i32,
        epoch: i32,
    ) -> (i16, i32, i64) {
        let asked = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(leader)
            .with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(vec![asked]);
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let answer = self.ask(4, request).topics.remove(0).partitions.remove(0);
        (answer.error_code, answer.leader_epoch, answer.end_offset)
    }
}

#[test]
fn a_restart_of_the_only_broker_raises_the_epoch_of_each_leader() {
    let Some((mut wire, topic)) = restarted() else {
        return;
    };
    assert_eq!(wire.metadata(topic).1, [PRESENT; 3]);
    let new = wire.topic();
    assert_eq!(wire.metadata(&new).1, [0, 0], "of a new topic");
}

#[test]
fn who_knows_an_earlier_leader_is_fenced_and_who_knows_a_later_one_is_early() {
    let Some((mut wire, topic)) = restarted() else {
        return;
    };
    for (leader, code) in [
        (-1, 0),
        (0, FENCED),
        (1, FENCED),
        (PRESENT, 0),
        (3, UNKNOWN),
    ] {
        let fetched = wire.fetch_after(topic, Asked { leader, ..FIRST });
        assert_eq!(fetched.error_code, code, "fetch as of {leader}");
        assert_eq!(wire.list_as(topic, 0, leader, -1).0, code, "list, {leader}");
        assert_eq!(wire.end_of_epoch(topic, 0, leader, 0).0, code, "{leader}");
    }
}

/// KIP-951
#[test]
fn who_is_fenced_is_told_of_the_present_leader() {
    let Some((mut wire, topic)) = restarted() else {
        return;
    };
    let (id, _) = wire.metadata(topic);
    let mut fetch = |leader| {
        let asked = Asked { leader, ..FIRST };
        let topic = FetchTopic::default()
            .with_topic_id(id)
            .with_partitions(vec![asked.partition()]);
        let answer = wire.fetch_topic(16, topic);
        let leader = &answer.responses[0].partitions[0].current_leader;
        let nodes: Vec<_> = answer.node_endpoints.iter().map(|n| n.node_id.0).collect();
        (leader.leader_id.0, leader.leader_epoch, nodes)
    };
    assert_eq!(fetch(0), (1, PRESENT, vec![1]));
    assert_eq!(fetch(PRESENT), (-1, -1, vec![]));
    assert_eq!(fetch(3), (-1, -1, vec![]));
}

#[test]
fn a_batch_has_the_epoch_of_the_leader_that_wrote_it() {
    let Some((mut wire, topic)) = restarted() else {
        return;
    };
    let records = wire.fetch_after(topic, FIRST).records.unwrap();
    let (mut rest, mut epochs) = (&records[..], Vec::new());
    while !rest.is_empty() {
        let int = |at: usize| i32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        epochs.push(int(12));
        rest = &rest[12 + usize::try_from(int(8)).unwrap()..];
    }
    assert_eq!(epochs, [0, 0, PRESENT, PRESENT]);
    // The coordinator has an epoch as well, which is the end of its marker.
    let marker = [12, 0, 0, 0, 0, 0, 2, 0];
    assert!(records.ends_with(&marker), "{records:?}");
    assert_eq!(wire.list_as(topic, 0, -1, -1), (0, 5, PRESENT));
    assert_eq!(wire.list_as(topic, 0, -1, -2), (0, 0, 0));
    assert_eq!(wire.list_as(topic, 0, -1, 0), (0, 0, 0), "by time");
    assert_eq!(
        wire.list_as(topic, 0, -1, -3),
        (0, 4, PRESENT),
        "the latest"
    );
    assert_eq!(wire.list_as(topic, 1, -1, -2), (0, 0, PRESENT), "empty");
}

#[test]
fn an_epoch_ends_where_the_next_one_begins() {
    let Some((mut wire, topic)) = restarted() else {
        return;
    };
    let mut ends =
        |partition| [-1, 0, 1, 2, 3].map(|epoch| wire.end_of_epoch(topic, partition, -1, epoch));
    let none = (0, -1, -1);
    assert_eq!(ends(0), [none, (0, 0, 3), (0, 0, 3), (0, 2, 5), none]);
    assert_eq!(ends(1), [none, (0, 0, 0), (0, 1, 0), (0, 2, 0), none]);
    assert_eq!(ends(2), [none, (0, 0, 2), (0, 0, 2), (0, 2, 2), none]);
    assert_eq!(wire.delete(topic, 2, 1), (0, 1));
    assert_eq!(wire.end_of_epoch(topic, 2, -1, 0), (0, 0, 2));
    assert_eq!(wire.delete(topic, 2, 2), (0, 2));
    assert_eq!(wire.end_of_epoch(topic, 2, -1, 1), (0, 1, 2), "forgotten");
    assert_eq!(wire.end_of_epoch(topic, 2, -1, 2), (0, 2, 2));
}

#[test]
fn who_has_read_what_is_not_in_the_log_is_told_where_it_parts() {
    let Some((mut wire, topic)) = restarted() else {
        return;
    };
    let mut fetch = |offset: i64, last: i32| {
        let asked = Asked {
            offset,
            last,
            ..FIRST
        };
        let answer = wire.fetch_after(topic, asked);
        let diverging = answer.diverging_epoch;
        let has_records = answer.records.is_some_and(|records| !records.is_empty());
        (
            answer.error_code,
            has_records,
            (diverging.epoch, diverging.end_offset),
        )
    };
    let agrees = (0, true, (-1, -1));
    assert_eq!(fetch(3, 0), agrees);
    assert_eq!(fetch(4, 2), agrees);
    assert_eq!(fetch(4, 0), (0, false, (0, 3)), "epoch 0 ended before");
    assert_eq!(fetch(2, 1), (0, false, (0, 3)), "there was no epoch 1");
    assert_eq!(fetch(9, 2), (0, false, (2, 5)));
    assert_eq!(fetch(0, 3), (OUT_OF_RANGE, false, (-1, -1)));
}
