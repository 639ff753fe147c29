//! Versions that `kafka-protocol` doesn't know.
//!
//! A request is decoded as one of the version before, and the response goes the way back:
//!
//! | | |
//! |---|---|
//! | ListOffsets 11 | is written as version 10 |
//! | OffsetCommit 10, OffsetFetch 10 | name topics by their ids; the decoder gets the text of the id where the name is |
//! | WriteTxnMarkers 2 | a marker says of which version its transaction is: a byte that the handler gets beside the request |
//! | DescribeLogDirs 5 | a directory may be cordoned, which none is |

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::shape::{places, shape};
use super::text;
use crate::broker::Broker;
use crate::server::Closed;

/// The version of OffsetCommit and OffsetFetch that names topics by their ids.
pub(super) const BY_ID: i16 = 10;
/// The version of WriteTxnMarkers in which markers have their transaction's version.
const WITH_TRANSACTION_VERSION: i16 = 2;
/// The version of DescribeLogDirs that says whether a directory is cordoned.
const WITH_CORDONS: i16 = 5;
/// Length, correlation id, no tagged fields.
const HEADER: usize = 9;

/// The version in which `kafka-protocol` reads and writes an API's version.
pub(super) fn written_as(api: ApiKey, version: i16) -> i16 {
    match (api, version) {
        (ApiKey::ListOffsets, 11)
        | (ApiKey::WriteTxnMarkers, WITH_TRANSACTION_VERSION)
        | (ApiKey::DescribeLogDirs, WITH_CORDONS) => version - 1,
        _ if has_topic_ids(api, version) => version - 1,
        _ => version,
    }
}

/// Whether the version names topics by their ids where `kafka-protocol` knows names only.
pub(super) fn has_topic_ids(api: ApiKey, version: i16) -> bool {
    matches!(api, ApiKey::OffsetCommit | ApiKey::OffsetFetch) && version == BY_ID
}

/// Whether markers have the version of their transaction.
pub(super) fn has_transaction_versions(api: ApiKey, version: i16) -> bool {
    api == ApiKey::WriteTxnMarkers && version == WITH_TRANSACTION_VERSION
}

/// A request as of the version in which it is read.
#[derive(Debug)]
pub(super) struct Older {
    pub(super) body: Bytes,
    /// What that version has no fields for, in the order of the request.
    pub(super) beside: Bytes,
}

/// The request as of the version in which it is read; `None` if it doesn't fit its bytes.
pub(super) fn older(api: ApiKey, version: i16, body: Bytes) -> Option<Older> {
    let unchanged = |body| Older {
        body,
        beside: Bytes::new(),
    };
    if has_topic_ids(api, version) {
        let fields = shape(api)?.1;
        return with_names(fields, version, &body).map(unchanged);
    }
    if !has_transaction_versions(api, version) {
        return Some(unchanged(body));
    }
    let places = places("v", shape(api)?.1, version, &body)?;
    let beside: Vec<&[u8]> = places
        .iter()
        .filter_map(|place| body.get(place.clone()))
        .collect();
    let beside = Bytes::from(beside.concat());
    let body = replaced(&body, places, |_, _| Some(()))?;
    Some(Older {
        body: body.into(),
        beside,
    })
}

/// The bytes, with what `put` writes in the places of some.
fn replaced(
    bytes: &[u8],
    places: Vec<Range<usize>>,
    mut put: impl FnMut(&[u8], &mut Vec<u8>) -> Option<()>,
) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(bytes.len() * 2);
    let mut copied = 0;
    for place in places {
        replaced.put_slice(bytes.get(copied..place.start)?);
        put(bytes.get(place.clone())?, &mut replaced)?;
        copied = place.end;
    }
    replaced.put_slice(bytes.get(copied..)?);
    Some(replaced)
}

fn with_names(fields: &str, version: i16, body: &[u8]) -> Option<Bytes> {
    let name = |id: &[u8], bytes: &mut Vec<u8>| {
        let id = Uuid::from_slice(id).ok()?.hyphenated().to_string();
        // A length is written as one more than it is.
        bytes.put_u8(u8::try_from(id.len() + 1).ok()?);
        bytes.put_slice(id.as_bytes());
        Some(())
    };
    let places = places("i", fields, version, body)?;
    replaced(body, places, name).map(Bytes::from)
}

/// A body with ids where it has their texts.
pub(super) fn with_ids(fields: &str, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    let id = |name: &[u8], bytes: &mut Vec<u8>| {
        // After its length, which is one byte.
        let id = Uuid::try_parse_ascii(name.get(1..)?).ok()?;
        bytes.extend_from_slice(id.as_bytes());
        Some(())
    };
    replaced(body, places("t", fields, version, body)?, id)
}

/// No directory is cordoned.
fn with_cordons(version: i16, body: &[u8]) -> Option<Vec<u8>> {
    let fields = "4 2 [2 s [s [4 8 8 1]] 8 8 c]";
    replaced(body, places("c", fields, version, body)?, |_, bytes| {
        bytes.put_u8(0);
        Some(())
    })
}

/// An answer, its length and header included, as of the version that the client asked in.
pub(super) fn newer(
    api: ApiKey,
    version: i16,
    answer: Option<Bytes>,
) -> Result<Option<Bytes>, Closed> {
    let written_as = written_as(api, version);
    let change = |body: &[u8]| match api {
        ApiKey::OffsetCommit => with_ids("4 [t [4 2]]", written_as, body),
        ApiKey::OffsetFetch => with_ids("4 [s [t [4 8 4 s 2]] 2]", written_as, body),
        _ => with_cordons(written_as, body),
    };
    let changes =
        has_topic_ids(api, version) || (api == ApiKey::DescribeLogDirs && version == WITH_CORDONS);
    if !changes {
        return Ok(answer);
    }
    let changed = |answer: Bytes| {
        let (header, body) = answer.split_at_checked(HEADER)?;
        let body = change(body)?;
        let length = i32::try_from(HEADER - 4 + body.len()).ok()?;
        let mut answer = BytesMut::with_capacity(HEADER + body.len());
        answer.put_i32(length);
        answer.put_slice(header.get(4..)?);
        answer.put_slice(&body);
        Some(answer.freeze())
    };
    let unwritable = || Closed::Unwritable(format!("{api:?} {version}"));
    let answer = answer.map(|answer| changed(answer).ok_or_else(unwritable));
    answer.transpose()
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
