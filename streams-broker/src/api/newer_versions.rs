//! Versions that `kafka-protocol` doesn't know.
//!
//! ListOffsets 11 is written as version 10. OffsetCommit and OffsetFetch 10 name topics by their ids, and are otherwise as
//! in version 9: a request is decoded as one of version 9 that has the text of the id where the name is, and the response
//! goes the way back.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::shape::{shape, topic_places};
use super::text;
use crate::broker::Broker;
use crate::server::Closed;

/// The version of both that names topics by their ids.
pub(super) const BY_ID: i16 = 10;
/// Length, correlation id, no tagged fields.
const HEADER: usize = 9;

/// The version in which `kafka-protocol` reads and writes an API's version.
pub(super) fn written_as(api: ApiKey, version: i16) -> i16 {
    match (api, version) {
        (ApiKey::ListOffsets, 11) => 10,
        _ if has_topic_ids(api, version) => BY_ID - 1,
        _ => version,
    }
}

/// Whether the version names topics by their ids where `kafka-protocol` knows names only.
pub(super) fn has_topic_ids(api: ApiKey, version: i16) -> bool {
    matches!(api, ApiKey::OffsetCommit | ApiKey::OffsetFetch) && version >= BY_ID
}

/// The body as of the version in which it is read; `None` if it doesn't fit its bytes.
pub(super) fn named(api: ApiKey, version: i16, body: Bytes) -> Option<Bytes> {
    if !has_topic_ids(api, version) {
        return Some(body);
    }
    let (_, fields) = shape(api)?;
    let mut named = BytesMut::with_capacity(body.len() * 2);
    let mut copied = 0;
    for place in topic_places(fields, version, &body)? {
        let id = Uuid::from_slice(body.get(place.clone())?).ok()?;
        named.put_slice(body.get(copied..place.start)?);
        let id = id.hyphenated().to_string();
        // A length is written as one more than it is.
        named.put_u8(u8::try_from(id.len() + 1).ok()?);
        named.put_slice(id.as_bytes());
        copied = place.end;
    }
    named.put_slice(body.get(copied..)?);
    Some(named.freeze())
}

/// An answer, its length and header included, as of the version that the client asked in.
pub(super) fn by_id(
    api: ApiKey,
    version: i16,
    answer: Option<Bytes>,
) -> Result<Option<Bytes>, Closed> {
    let fields = match api {
        _ if !has_topic_ids(api, version) => return Ok(answer),
        ApiKey::OffsetCommit => "4 [t [4 2]]",
        _ => "4 [s [t [4 8 4 s 2]] 2]",
    };
    let unwritable = || Closed::Unwritable(format!("{api:?} {version}: a topic without an id"));
    let with_ids = |answer: Bytes| {
        let (header, body) = answer.split_at_checked(HEADER)?;
        let body = with_ids(fields, written_as(api, version), body)?;
        let length = i32::try_from(HEADER - 4 + body.len()).ok()?;
        let mut answer = BytesMut::with_capacity(HEADER + body.len());
        answer.put_i32(length);
        answer.put_slice(header.get(4..)?);
        answer.put_slice(&body);
        Some(answer.freeze())
    };
    let answer = answer.map(|answer| with_ids(answer).ok_or_else(unwritable));
    answer.transpose()
}

/// A body with ids where it has their texts.
pub(super) fn with_ids(fields: &str, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    let mut with_ids = Vec::with_capacity(body.len());
    let mut copied = 0;
    for place in topic_places(fields, version, body)? {
        with_ids.extend_from_slice(body.get(copied..place.start)?);
        // After its length, which is one byte.
        let id = Uuid::try_parse_ascii(body.get(place.start + 1..place.end)?).ok()?;
        with_ids.extend_from_slice(id.as_bytes());
        copied = place.end;
    }
    with_ids.extend_from_slice(body.get(copied..)?);
    Some(with_ids)
}

/// The name of the topic that a request names in its version's way; `None` if an id is none that there is.
pub(super) fn real_name(broker: &Broker, version: i16, asked: &TopicName) -> Option<TopicName> {
    if version < BY_ID {
        return Some(asked.clone());
    }
    let name = broker.topics.name_of(Uuid::try_parse(asked).ok()?)?;
    Some(TopicName(text(name)))
}

/// How a response of a version names a topic; `None` if it is gone, and would have to be named by its id.
pub(super) fn told_as(broker: &Broker, version: i16, name: &str) -> Option<StrBytes> {
    if version < BY_ID {
        return Some(text(name));
    }
    let topic = broker.topics.get(name)?;
    Some(text(topic.id.hyphenated().to_string()))
}
