//! OffsetCommit and OffsetFetch by topic ids, byte by byte: version 10 of both.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, TopicName};

use crate::wire::{Wire, patiently, text, unique};

const UNKNOWN_TOPIC_ID: i16 = 100;
const NOT_YET: [i16; 3] = [14, 15, 16];

/// A compact string.
fn put_text(bytes: &mut BytesMut, text: &str) {
    bytes.put_u8(u8::try_from(text.len() + 1).unwrap());
    bytes.put_slice(text.as_bytes());
}

/// Asks for an answer that begins with these bytes, and gives what follows them.
fn after(answer: &Bytes, beginning: &[&[u8]]) -> Bytes {
    let beginning = beginning.concat();
    assert!(answer.starts_with(&beginning), "{answer:?}");
    answer.slice(beginning.len()..)
}

impl Wire {
    fn id_of(&mut self, topic: &str) -> [u8; 16] {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        self.ask(12, request).topics[0].topic_id.into_bytes()
    }

    /// Commits an offset for partition 0, with nobody in the group.
    fn commit_by_id(&mut self, group: &str, topic: &[u8; 16], offset: i64) -> i16 {
        let mut body = BytesMut::new();
        put_text(&mut body, group);
        body.put_i32(-1);
        // No member, no instance.
        body.put_slice(&[1, 0]);
        // One topic, of which one partition: 0, the offset, no leader epoch, the metadata.
        body.put_u8(2);
        body.put_slice(topic);
        body.put_slice(&[2, 0, 0, 0, 0]);
        body.put_i64(offset);
        body.put_i32(-1);
        put_text(&mut body, "m");
        body.put_slice(&[0, 0, 0]);
        let answer = self.ask_bytes(ApiKey::OffsetCommit as i16, 10, &body);
        let rest = after(&answer, &[&[0, 0, 0, 0, 2], topic, &[2, 0, 0, 0, 0]]);
        assert_eq!(rest[2..], [0, 0, 0]);
        i16::from_be_bytes([rest[0], rest[1]])
    }

    /// The code and the committed offset of partition 0.
    fn fetch_by_id(&mut self, group: &str, topic: &[u8; 16]) -> (i16, i64) {
        let mut body = BytesMut::new();
        body.put_u8(2);
        put_text(&mut body, group);
        // No member, of no epoch; one topic, of which partition 0.
        body.put_slice(&[0, 0xff, 0xff, 0xff, 0xff, 2]);
        body.put_slice(topic);
        body.put_slice(&[2, 0, 0, 0, 0]);
        // The ends of the topic and of the group, stable or not, the end.
        body.put_slice(&[0, 0, 0, 0]);
        let answer = self.ask_bytes(ApiKey::OffsetFetch as i16, 10, &body);
        let mut group_again = BytesMut::new();
        put_text(&mut group_again, group);
        let beginning = [&[0, 0, 0, 0, 2], &group_again[..], &[2]].concat();
        let rest = after(&answer, &[&beginning, topic, &[2, 0, 0, 0, 0]]);
        let offset = i64::from_be_bytes(rest[..8].try_into().unwrap());
        // After the leader epoch and the metadata, which ends before the code.
        let code = 8 + 4 + usize::from(rest[12]);
        (i16::from_be_bytes([rest[code], rest[code + 1]]), offset)
    }
}

#[test]
fn offsets_are_committed_and_fetched_by_the_topics_id() {
    let mut wire = Wire::new();
    let topic = wire.topic();
    let id = wire.id_of(&topic);
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let committed = patiently(&NOT_YET, || (wire.commit_by_id(&group, &id, 7), ())).0;
    assert_eq!(committed, 0);
    assert_eq!(wire.fetch_by_id(&group, &id), (0, 7));
    // It is the same offset by whichever way it is asked for.
    assert_eq!(wire.committed(&group, &topic, false), (0, 7));
}

#[test]
fn an_id_that_no_topic_has_is_refused() {
    let mut wire = Wire::new();
    let group = unique("g");
    wire.find_coordinator(&group, 0);
    let unknown = [7; 16];
    let refused = patiently(&NOT_YET, || (wire.commit_by_id(&group, &unknown, 7), ())).0;
    assert_eq!(refused, UNKNOWN_TOPIC_ID);
    assert_eq!(wire.fetch_by_id(&group, &unknown), (UNKNOWN_TOPIC_ID, -1));
}
