//! From frames to answers: which APIs and versions there are, and which file serves each.
//!
//! Invariant: what ApiVersions advertises is exactly what the table below dispatches (but Produce 0 to 2, see there).
//! A handler that answers at once gets the locked broker; one that may wait takes the lock itself.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod altering;
mod api_versions;
mod assignments;
mod committing;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod context;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod newer_versions;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod once;
mod operations;
mod produce;
#[cfg(any(test, fuzzing))]
mod samples;
mod shape;
mod sync_group;

mod txn_offset_commit;
mod write_txn_markers;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use tokio::sync::Notify;
use uuid::Uuid;

use self::context::Context;
use self::newer_versions::Older;
use self::once::once;
use self::shape::Subject;
use crate::faults::{Faults, SeenRequest};
use crate::log::Reader;
use crate::server::Closed;
use crate::shared::Shared;

/// One connection: the broker, and who is at the other end.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    reader: Reader,
    /// Tells that there is nobody any more.
    gone: Arc<Notify>,
    host: String,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, host: String) -> Self {
        Self {
            shared,
            reader: Reader::default(),
            gone: Arc::default(),
            host,
        }
    }

    /// The largest frame that a client may send.
    pub(crate) fn largest_request(&self) -> i32 {
        self.shared.lock().settings.int("socket.request.max.bytes")
    }

    pub(crate) fn gone(&self) -> Arc<Notify> {
        Arc::clone(&self.gone)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How long a client may keep the connection waiting; `None` is for ever.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let idle = self
            .shared
            .lock()
            .settings
            .number("connections.max.idle.ms");
        u64::try_from(idle).ok().map(Duration::from_millis)
    }
}

macro_rules! apis {
    (
        at once { $($key:ident $min:literal ..= $max:literal $module:ident,)* }
        waiting { $($slow_key:ident $slow_min:literal ..= $slow_max:literal $slow_module:ident,)* }
        not_always_answered { $($mute_key:ident $mute_min:literal ..= $mute_max:literal $mute_module:ident,)* }
    ) => {
        /// API key, first and last version.
        const SUPPORTED: &[(ApiKey, i16, i16)] = &[
            $((ApiKey::$key, $min, $max),)*
            $((ApiKey::$slow_key, $slow_min, $slow_max),)*
            $((ApiKey::$mute_key, $mute_min, $mute_max),)*
        ];

        async fn dispatch(key: ApiKey, context: &Context<'_>, body: Bytes, id: i32) -> Result<Option<Bytes>, Closed> {
            match key {
                $(ApiKey::$key => {
                    let request = decode(body, context.written_as)?;
                    let response = context.shared.with(|broker| $module::handle(broker, context, request));
                    encode(id, context.written_as, &response).map(Some)
                })*
                $(ApiKey::$slow_key => {
                    let request = decode(body, context.written_as)?;
                    let response = $slow_module::handle(context, request).await;
                    encode(id, context.written_as, &response).map(Some)
                })*
                $(ApiKey::$mute_key => {
                    let request = decode(body, context.written_as)?;
                    let response = $mute_module::handle(context, request)?;
                    response.map(|response| encode(id, context.written_as, &response)).transpose()
                })*
                other => Err(Closed::Unsupported { key: other as i16, version: context.version }),
            }
        }
    };
}

apis! {
    at once {
    ListOffsets 1..=11 list_offsets,
    Metadata 0..=13 metadata,
    OffsetCommit 2..=10 offset_commit,
    OffsetFetch 1..=10 offset_fetch,
    FindCoordinator 0..=6 find_coordinator,
    Heartbeat 0..=4 heartbeat,
    LeaveGroup 0..=5 leave_group,
    DescribeGroups 0..=6 describe_groups,
    ListGroups 0..=5 list_groups,
    ApiVersions 0..=4 api_versions,
    CreateTopics 2..=7 create_topics,
    DeleteTopics 1..=6 delete_topics,
    DeleteRecords 0..=2 delete_records,
    InitProducerId 0..=5 init_producer_id,
    OffsetForLeaderEpoch 2..=4 offset_for_leader_epoch,
    AddPartitionsToTxn 0..=3 add_partitions_to_txn,
    AddOffsetsToTxn 0..=4 add_offsets_to_txn,
    EndTxn 0..=5 end_txn,
    TxnOffsetCommit 0..=5 txn_offset_commit,
    DescribeConfigs 1..=4 describe_configs,
    CreatePartitions 0..=3 create_partitions,
    DeleteGroups 0..=2 delete_groups,
    OffsetDelete 0..=0 offset_delete,
    ConsumerGroupHeartbeat 0..=1 consumer_group_heartbeat,
    ConsumerGroupDescribe 0..=1 consumer_group_describe,
    AlterConfigs 0..=2 alter_configs,
    DescribeLogDirs 1..=5 describe_log_dirs,
    ElectLeaders 0..=2 elect_leaders,
    IncrementalAlterConfigs 0..=1 incremental_alter_configs,
    ListConfigResources 0..=1 list_config_resources,
    DescribeCluster 0..=2 describe_cluster,
    DescribeTopicPartitions 0..=0 describe_topic_partitions,
    DescribeProducers 0..=0 describe_producers,
    WriteTxnMarkers 1..=2 write_txn_markers,
    DescribeTransactions 0..=0 describe_transactions,
    ListTransactions 0..=2 list_transactions,
    }
    waiting {
    Fetch 4..=18 fetch,
    JoinGroup 0..=9 join_group,
    SyncGroup 0..=5 sync_group,
    }
    not_always_answered {
    Produce 3..=13 produce,
    }
}

/// A request of each kind in each version, without its length, for tests and for fuzzing.
#[cfg(any(test, fuzzing))]
pub(crate) fn sample_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (api, min, max) in SUPPORTED {
        for version in *min..=*max {
            let mut frame = BytesMut::new();
            let header = RequestHeader::default()
                .with_request_api_key(*api as i16)
                .with_request_api_version(version);
            // A header without a client id is always written.
            let _ = header.encode(&mut frame, api.request_header_version(version));
            frame.extend_from_slice(&samples::sample(*api, version));
            frames.push(frame.to_vec());
        }
    }
    frames
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
    let (shared, reader, gone, host) = (
        &connection.shared,
        &connection.reader,
        &*connection.gone,
        connection.host.as_str(),
    );
    let Some(subject) = shape::subject(api, version, &body) else {
        return Err(Closed::Malformed(format!(
            "{api:?} {version} doesn't fit its frame"
        )));
    };
    tracing::trace!(?api, version, client_id, "request");
    shared.running().await;
    let seen = Arc::new(seen(shared, api, version, client_id, &subject));
    let mut verdict = shared.faults.judge(&seen);
    verdict.before.pass().await?;
    shared.running().await;
    let misfit = || Closed::Malformed(format!("{api:?} {version} doesn't fit its frame"));
    let refusal = verdict.error.or_else(|| limit(shared, api, body.len()));
    let Older { body, beside } = newer_versions::older(api, version, body).ok_or_else(misfit)?;
    let context = Context {
        shared,
        reader,
        gone,
        host,
        client_id,
        version,
        written_as: newer_versions::written_as(api, version),
        beside,
        refusal,
        level: verdict.level,
        told: AtomicBool::new(false),
    };
    let answer = dispatch(api, &context, body, header.correlation_id).await;
    Faults::answered(&verdict, &seen, context.told());
    let answer = answer.and_then(|answer| newer_versions::newer(api, version, answer));
    verdict.after.pass().await?;
    shared.running().await;
    answer
}

fn seen(
    shared: &Shared,
    api: ApiKey,
    version: i16,
    client_id: &str,
    subject: &Subject<'_>,
) -> SeenRequest {
    let broker = shared.lock();
    let of_id = |id: &[u8; 16]| broker.topics.name_of(Uuid::from_bytes(*id));
    let by_id = subject.topic_ids.iter().filter_map(of_id);
    // Clients name them once, and mean them in each fetch that follows.
    let of_session = broker.sessions.topics(subject.session);
    let of_session = of_session.filter_map(|topic| {
        if topic.id.is_nil() {
            Some(topic.name.as_str())
        } else {
            broker.topics.name_of(topic.id)
        }
    });
    let named = subject.topics.iter().copied().chain(by_id);
    let topics = names(named.chain(of_session));
    SeenRequest {
        api,
        version,
        client_id: client_id.to_owned(),
        at: broker.now(),
        topics,
        groups: names(subject.groups.iter().copied()),
        transactional_ids: names(subject.transactional_ids.iter().copied()),
    }
}

/// Each name once, in the order of the request.
fn names<'a>(named: impl Iterator<Item = &'a str>) -> Vec<String> {
    let named = named.filter(|name| !name.is_empty());
    once(named, |name| *name).map(str::to_owned).collect()
}

/// Refuses a request that would leave something with a coordinator, where there is no more room for it.
fn limit(shared: &Shared, api: ApiKey, size: usize) -> Option<ResponseError> {
    use ApiKey::{
        AddOffsetsToTxn, AddPartitionsToTxn, ConsumerGroupHeartbeat, InitProducerId, JoinGroup,
        OffsetCommit, SyncGroup, TxnOffsetCommit,
    };
    let keeps = matches!(
        api,
        JoinGroup
            | SyncGroup
            | ConsumerGroupHeartbeat
            | OffsetCommit
            | TxnOffsetCommit
            | InitProducerId
            | AddPartitionsToTxn
            | AddOffsetsToTxn
    );
    if keeps {
        shared.lock().reserve_for(size).err()
    } else {
        None
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

/// What isn't part of the transaction: newer clients are told to abort it.
fn abortable(error: ResponseError, knows_abortable: bool) -> ResponseError {
    if error == ResponseError::InvalidTxnState && knows_abortable {
        ResponseError::TransactionAbortable
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Broker, Limits, Node};
    use crate::settings::Settings;

    /// UNSUPPORTED_SASL_MECHANISM, which nothing here answers by itself.
    const INJECTED: i16 = 33;

    #[tokio::test]
    async fn every_api_answers_an_injected_error() {
        let node = Node {
            id: 1,
            host: String::new(),
            port: 0,
        };
        let shared = Shared::new(Broker::new(node, Settings::broker(), Limits::none()));
        let mut silent = Vec::new();
        for (api, _, version) in SUPPORTED {
            let context = Context {
                shared: &shared,
                reader: &Reader::default(),
                gone: &Notify::new(),
                host: "",
                client_id: "",
                version: *version,
                written_as: newer_versions::written_as(*api, *version),
                beside: Bytes::new(),
                refusal: ResponseError::try_from_code(INJECTED),
                level: None,
                told: AtomicBool::new(false),
            };
            let mut request = samples::sample(*api, *version);
            if *api == ApiKey::Produce {
                // Acks after the transactional id: without them there is no answer.
                request.splice(2..4, [0xff, 0xff]);
            }
            let request = newer_versions::older(*api, *version, Bytes::from(request));
            let request = request.map(|older| older.body).unwrap_or_default();
            let answer = dispatch(*api, &context, request, 0).await;
            let answer = answer.ok().flatten().unwrap_or_default();
            if !answer
                .windows(2)
                .any(|bytes| bytes == INJECTED.to_be_bytes())
            {
                silent.push(api);
            }
        }
        assert!(silent.is_empty(), "without the error: {silent:?}");
    }
}
