//! From frames to answers: which APIs and versions there are, and which file serves each.
//!
//! Invariant: what ApiVersions advertises is exactly what the table below dispatches (but Produce 0 to 2, see there).
//! A handler that answers at once gets the locked broker; one that may wait takes the lock itself.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod shape;
mod sync_group;
mod txn_offset_commit;

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use crate::broker::Shared;
use crate::faults::SeenRequest;
use crate::log::Reader;
use crate::server::Closed;

/// One connection: the broker, and who is at the other end.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    reader: Reader,
    host: String,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, host: String) -> Self {
        Self {
            shared,
            reader: Reader::default(),
            host,
        }
    }

    /// The largest frame that a client may send.
    pub(crate) fn largest_request(&self) -> i32 {
        self.shared.lock().settings.int("socket.request.max.bytes")
    }
}

/// What a handler knows beside the request.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) reader: &'a Reader,
    pub(crate) host: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) version: i16,
    /// The error that an injected fault answers with.
    pub(crate) injected: Option<ResponseError>,
}

impl Context<'_> {
    /// Asked by handlers before they do anything.
    fn check(&self) -> Result<(), ResponseError> {
        self.injected.map_or(Ok(()), Err)
    }
}

macro_rules! apis {
    (
        at once { $($key:ident $min:literal ..= $max:literal $module:ident,)* }
        waiting { $($slow_key:ident $slow_min:literal ..= $slow_max:literal $slow_module:ident,)* }
    ) => {
        /// API key, first and last version.
        const SUPPORTED: &[(ApiKey, i16, i16)] = &[
            $((ApiKey::$key, $min, $max),)*
            $((ApiKey::$slow_key, $slow_min, $slow_max),)*
        ];

        async fn dispatch(key: ApiKey, context: &Context<'_>, body: Bytes, id: i32) -> Result<Option<Bytes>, Closed> {
            match key {
                $(ApiKey::$key => {
                    let request = decode(body, context.version)?;
                    let response = context.shared.with(|broker| $module::handle(broker, context, request));
                    encode(id, context.version, &response).map(Some)
                })*
                $(ApiKey::$slow_key => {
                    let request = decode(body, context.version)?;
                    let response = $slow_module::handle(context, request).await;
                    response.map(|response| encode(id, context.version, &response)).transpose()
                })*
                other => Err(Closed::Unsupported { key: other as i16, version: context.version }),
            }
        }
    };
}

apis! {
    at once {
    ListOffsets 1..=10 list_offsets,
    Metadata 0..=13 metadata,
    OffsetCommit 2..=9 offset_commit,
    OffsetFetch 1..=9 offset_fetch,
    FindCoordinator 0..=5 find_coordinator,
    Heartbeat 0..=4 heartbeat,
    LeaveGroup 0..=5 leave_group,
    DescribeGroups 0..=5 describe_groups,
    ListGroups 0..=5 list_groups,
    ApiVersions 0..=3 api_versions,
    CreateTopics 2..=7 create_topics,
    DeleteTopics 1..=6 delete_topics,
    DeleteRecords 0..=2 delete_records,
    InitProducerId 0..=5 init_producer_id,
    OffsetForLeaderEpoch 2..=4 offset_for_leader_epoch,
    AddPartitionsToTxn 0..=3 add_partitions_to_txn,
    AddOffsetsToTxn 0..=4 add_offsets_to_txn,
    EndTxn 0..=4 end_txn,
    TxnOffsetCommit 0..=4 txn_offset_commit,
    DescribeConfigs 1..=4 describe_configs,
    CreatePartitions 0..=3 create_partitions,
    DeleteGroups 0..=2 delete_groups,
    IncrementalAlterConfigs 0..=1 incremental_alter_configs,
    DescribeCluster 0..=2 describe_cluster,
    ListTransactions 0..=1 list_transactions,
    }
    waiting {
    Produce 3..=11 produce,
    Fetch 4..=16 fetch,
    JoinGroup 0..=9 join_group,
    SyncGroup 0..=5 sync_group,
    }
}

/// Answers one frame; `None` where the protocol has no answer.
pub(crate) async fn answer(
    connection: &mut Connection,
    frame: Bytes,
) -> Result<Option<Bytes>, Closed> {
    let (Some(key), Some(version)) = (short(&frame, 0), short(&frame, 2)) else {
        return Err(Closed::Malformed("shorter than a header".to_owned()));
    };
    let unsupported = Closed::Unsupported { key, version };
    let Ok(api) = ApiKey::try_from(key) else {
        return Err(unsupported);
    };
    let Some((_, min, max)) = SUPPORTED.iter().find(|(known, ..)| *known == api) else {
        return Err(unsupported);
    };
    if !(*min..=*max).contains(&version) {
        // Only for this API a client learns from an answer which versions there are.
        let Some(id) = int(&frame, 4).filter(|_| api == ApiKey::ApiVersions) else {
            return Err(unsupported);
        };
        return encode(id, 0, &api_versions::unsupported()).map(Some);
    }
    let mut body = frame;
    let header =
        RequestHeader::decode(&mut body, api.request_header_version(version)).map_err(malformed)?;
    let client_id = header.client_id.as_deref().unwrap_or_default();
    let (shared, reader, host) = (
        &connection.shared,
        &connection.reader,
        connection.host.as_str(),
    );
    if !shape::fits(api, version, &body) {
        return Err(Closed::Malformed(format!(
            "{api:?} {version} doesn't fit its frame"
        )));
    }
    tracing::trace!(?api, version, client_id, "request");
    let verdict = shared.faults.judge(SeenRequest {
        api,
        version,
        client_id: client_id.to_owned(),
        at: shared.lock().now(),
    });
    if !verdict.delay.is_zero() {
        tokio::time::sleep(verdict.delay).await;
    }
    if verdict.cut_before {
        return Err(Closed::Injected);
    }
    let context = Context {
        shared,
        reader,
        host,
        client_id,
        version,
        injected: verdict.error,
    };
    let answer = dispatch(api, &context, body, header.correlation_id).await;
    if verdict.cut_after {
        Err(Closed::Injected)
    } else {
        answer
    }
}

fn malformed(error: impl std::fmt::Display) -> Closed {
    Closed::Malformed(error.to_string())
}

fn short(bytes: &Bytes, at: usize) -> Option<i16> {
    Some(bytes.get(at..at + 2)?.get_i16())
}

fn int(bytes: &Bytes, at: usize) -> Option<i32> {
    Some(bytes.get(at..at + 4)?.get_i32())
}

fn decode<R: Decodable>(mut body: Bytes, version: i16) -> Result<R, Closed> {
    R::decode(&mut body, version).map_err(malformed)
}

/// A response with its length and header, ready to be written.
fn encode<R: Encodable + HeaderVersion>(
    id: i32,
    version: i16,
    response: &R,
) -> Result<Bytes, Closed> {
    let unwritable = |error: String| Closed::Unwritable(error);
    let size = response
        .compute_size(version)
        .map_err(|error| unwritable(error.to_string()))?;
    let mut bytes = BytesMut::with_capacity(size + 16);
    bytes.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(id);
    header
        .encode(&mut bytes, R::header_version(version))
        .map_err(|error| unwritable(error.to_string()))?;
    response
        .encode(&mut bytes, version)
        .map_err(|error| unwritable(error.to_string()))?;
    let length = i32::try_from(bytes.len() - 4).map_err(|error| unwritable(error.to_string()))?;
    if let Some(place) = bytes.get_mut(..4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(bytes.freeze())
}

/// The protocol's number for a result.
fn code<T>(result: Result<T, ResponseError>) -> i16 {
    result.err().map_or(0, |error| error.code())
}

/// Text for the protocol.
fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// Older clients know fencing by an older code only.
fn fenced_as(error: ResponseError, knows_fenced: bool) -> ResponseError {
    if error == ResponseError::ProducerFenced && !knows_fenced {
        ResponseError::InvalidProducerEpoch
    } else {
        error
    }
}
