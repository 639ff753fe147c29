//! The error codes that Kafka can answer each request of a job with, and what Kafka's clients make of them.
//!
//! Sources, by API: the "possible error codes" that the response classes of `org.apache.kafka.common.requests` list,
//! and how the client treats each one, in the handler that is named.

use streams_broker::ApiKey;

/// What a job may do about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A `RetriableException`: the request is sent again. The job must go on.
    Retriable,
    /// The transaction cannot be committed, or the member must join again. The job must go on.
    Abortable,
    /// The producer or the consumer is of no use any more; a new one is. The job must go on.
    Fenced,
    /// Nothing that a job can do by itself helps. It may end, with an error that says what is wrong, and the next start
    /// must do what is left.
    Fatal,
}

use Class::{Abortable, Fatal, Fenced, Retriable};

/// A code with its name in `org.apache.kafka.common.protocol.Errors`.
pub(crate) type Code = (i16, &'static str, Class);

/// Every code for an API.
pub(crate) fn codes(api: ApiKey) -> &'static [Code] {
    match api {
        ApiKey::Metadata => METADATA,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::AddPartitionsToTxn => ADD_PARTITIONS_TO_TXN,
        ApiKey::Produce => PRODUCE,
        ApiKey::AddOffsetsToTxn => ADD_OFFSETS_TO_TXN,
        ApiKey::TxnOffsetCommit => TXN_OFFSET_COMMIT,
        ApiKey::EndTxn => END_TXN,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::SyncGroup => SYNC_GROUP,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Fetch => FETCH,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        // Its answer has no room for one that a client would take.
        ApiKey::ApiVersions => &[],
        other => panic!("which codes can {other:?} be answered with?"),
    }
}

/// `NetworkClient.DefaultMetadataUpdater`, `MetadataResponse`. A source topic that is not there ends a Kafka Streams
/// application too (`MissingSourceTopicException`).
const METADATA: &[Code] = &[
    (5, "LEADER_NOT_AVAILABLE", Retriable),
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Fatal),
    (17, "INVALID_TOPIC_EXCEPTION", Fatal),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
];

/// `AbstractCoordinator.FindCoordinatorResponseHandler`, `TransactionManager.FindCoordinatorHandler`.
const FIND_COORDINATOR: &[Code] = &[
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal),
    (42, "INVALID_REQUEST", Fatal),
];

/// `DescribeConfigsResponse`. A job asks for what it checks itself and its changelogs against: it asks again, or goes on without.
const DESCRIBE_CONFIGS: &[Code] = &[
    (31, "CLUSTER_AUTHORIZATION_FAILED", Retriable),
    (7, "REQUEST_TIMED_OUT", Retriable),
];

/// `TransactionManager.InitProducerIdHandler`.
const INIT_PRODUCER_ID: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (51, "CONCURRENT_TRANSACTIONS", Retriable),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (90, "PRODUCER_FENCED", Fenced),
    (48, "INVALID_TXN_STATE", Fatal),
    (50, "INVALID_TRANSACTION_TIMEOUT", Fatal),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal),
    (31, "CLUSTER_AUTHORIZATION_FAILED", Fatal),
];

/// `TransactionManager.AddPartitionsToTxnHandler`.
const ADD_PARTITIONS_TO_TXN: &[Code] = &[
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Retriable),
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (51, "CONCURRENT_TRANSACTIONS", Retriable),
    (55, "OPERATION_NOT_ATTEMPTED", Abortable),
    (59, "UNKNOWN_PRODUCER_ID", Abortable),
    (49, "INVALID_PRODUCER_ID_MAPPING", Abortable),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (90, "PRODUCER_FENCED", Fenced),
    (48, "INVALID_TXN_STATE", Fenced),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal),
];

/// `Sender.completeBatch`, `Sender.canRetry`, `TransactionManager.handleFailedBatch`, `ProduceResponse`.
const PRODUCE: &[Code] = &[
    (2, "CORRUPT_MESSAGE", Retriable),
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Retriable),
    (5, "LEADER_NOT_AVAILABLE", Retriable),
    (6, "NOT_LEADER_OR_FOLLOWER", Retriable),
    (7, "REQUEST_TIMED_OUT", Retriable),
    (13, "NETWORK_EXCEPTION", Retriable),
    (19, "NOT_ENOUGH_REPLICAS", Retriable),
    (20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", Retriable),
    (56, "KAFKA_STORAGE_ERROR", Retriable),
    (45, "OUT_OF_ORDER_SEQUENCE_NUMBER", Abortable),
    (59, "UNKNOWN_PRODUCER_ID", Abortable),
    (49, "INVALID_PRODUCER_ID_MAPPING", Abortable),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (90, "PRODUCER_FENCED", Fenced),
    (48, "INVALID_TXN_STATE", Fenced),
    (10, "MESSAGE_TOO_LARGE", Fatal),
    (18, "RECORD_LIST_TOO_LARGE", Fatal),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
    (31, "CLUSTER_AUTHORIZATION_FAILED", Fatal),
    (32, "INVALID_TIMESTAMP", Fatal),
    (43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", Fatal),
    (76, "UNSUPPORTED_COMPRESSION_TYPE", Fatal),
    (87, "INVALID_RECORD", Fatal),
];

/// `TransactionManager.AddOffsetsToTxnHandler`.
const ADD_OFFSETS_TO_TXN: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (51, "CONCURRENT_TRANSACTIONS", Retriable),
    (59, "UNKNOWN_PRODUCER_ID", Abortable),
    (49, "INVALID_PRODUCER_ID_MAPPING", Abortable),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (90, "PRODUCER_FENCED", Fenced),
    (48, "INVALID_TXN_STATE", Fenced),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal),
];

/// `TransactionManager.TxnOffsetCommitHandler`.
const TXN_OFFSET_COMMIT: &[Code] = &[
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Retriable),
    (7, "REQUEST_TIMED_OUT", Retriable),
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (22, "ILLEGAL_GENERATION", Abortable),
    (25, "UNKNOWN_MEMBER_ID", Abortable),
    (82, "FENCED_INSTANCE_ID", Abortable),
    (27, "REBALANCE_IN_PROGRESS", Abortable),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (90, "PRODUCER_FENCED", Fenced),
    (48, "INVALID_TXN_STATE", Fenced),
    (12, "OFFSET_METADATA_TOO_LARGE", Fatal),
    (28, "INVALID_COMMIT_OFFSET_SIZE", Fatal),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
    (43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", Fatal),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal),
];

/// `TransactionManager.EndTxnHandler`.
const END_TXN: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (51, "CONCURRENT_TRANSACTIONS", Retriable),
    (59, "UNKNOWN_PRODUCER_ID", Abortable),
    (49, "INVALID_PRODUCER_ID_MAPPING", Abortable),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (90, "PRODUCER_FENCED", Fenced),
    (48, "INVALID_TXN_STATE", Fenced),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal),
];

/// `AbstractCoordinator.JoinGroupResponseHandler`.
const JOIN_GROUP: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (22, "ILLEGAL_GENERATION", Retriable),
    (25, "UNKNOWN_MEMBER_ID", Retriable),
    (27, "REBALANCE_IN_PROGRESS", Retriable),
    (82, "FENCED_INSTANCE_ID", Fenced),
    (23, "INCONSISTENT_GROUP_PROTOCOL", Fatal),
    (24, "INVALID_GROUP_ID", Fatal),
    (26, "INVALID_SESSION_TIMEOUT", Fatal),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
    (35, "UNSUPPORTED_VERSION", Fatal),
    (81, "GROUP_MAX_SIZE_REACHED", Fatal),
];

/// `AbstractCoordinator.SyncGroupResponseHandler`.
const SYNC_GROUP: &[Code] = &[
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (22, "ILLEGAL_GENERATION", Retriable),
    (25, "UNKNOWN_MEMBER_ID", Retriable),
    (27, "REBALANCE_IN_PROGRESS", Retriable),
    (82, "FENCED_INSTANCE_ID", Fenced),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
];

/// `AbstractCoordinator.HeartbeatResponseHandler`.
const HEARTBEAT: &[Code] = &[
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (22, "ILLEGAL_GENERATION", Retriable),
    (25, "UNKNOWN_MEMBER_ID", Retriable),
    (27, "REBALANCE_IN_PROGRESS", Retriable),
    (82, "FENCED_INSTANCE_ID", Fenced),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
];

/// `ConsumerCoordinator.OffsetFetchResponseHandler`.
const OFFSET_FETCH: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (88, "UNSTABLE_OFFSET_COMMIT", Retriable),
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Fatal),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
    (30, "GROUP_AUTHORIZATION_FAILED", Fatal),
];

/// `KafkaAdminClient.listGroups`. As for DescribeGroups.
const LIST_GROUPS: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (31, "CLUSTER_AUTHORIZATION_FAILED", Retriable),
];

/// `DescribeClassicGroupsHandler`. A job asks only whether it has to do something about its group: it asks again, or goes on
/// without.
const DESCRIBE_GROUPS: &[Code] = &[
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", Retriable),
    (16, "NOT_COORDINATOR", Retriable),
    (30, "GROUP_AUTHORIZATION_FAILED", Retriable),
];

/// `OffsetFetcherUtils.handleListOffsetResponse`.
const LIST_OFFSETS: &[Code] = &[
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Retriable),
    (5, "LEADER_NOT_AVAILABLE", Retriable),
    (6, "NOT_LEADER_OR_FOLLOWER", Retriable),
    (9, "REPLICA_NOT_AVAILABLE", Retriable),
    (56, "KAFKA_STORAGE_ERROR", Retriable),
    (74, "FENCED_LEADER_EPOCH", Retriable),
    (75, "UNKNOWN_LEADER_EPOCH", Retriable),
    (78, "OFFSET_NOT_AVAILABLE", Retriable),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
];

/// `FetchCollector.handleInitializeErrors`, `FetchSessionHandler.handleResponse`.
const FETCH: &[Code] = &[
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Retriable),
    (6, "NOT_LEADER_OR_FOLLOWER", Retriable),
    (9, "REPLICA_NOT_AVAILABLE", Retriable),
    (56, "KAFKA_STORAGE_ERROR", Retriable),
    (74, "FENCED_LEADER_EPOCH", Retriable),
    (75, "UNKNOWN_LEADER_EPOCH", Retriable),
    (78, "OFFSET_NOT_AVAILABLE", Retriable),
    (100, "UNKNOWN_TOPIC_ID", Retriable),
    (103, "INCONSISTENT_TOPIC_ID", Retriable),
    (-1, "UNKNOWN_SERVER_ERROR", Retriable),
    (1, "OFFSET_OUT_OF_RANGE", Fatal),
    (2, "CORRUPT_MESSAGE", Fatal),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
];

/// `CreateTopicsResponse`; what `InternalTopicManager.makeReady` of Kafka Streams tries again. A topic that was created by
/// another instance meanwhile is what was wanted.
const CREATE_TOPICS: &[Code] = &[
    (7, "REQUEST_TIMED_OUT", Retriable),
    (36, "TOPIC_ALREADY_EXISTS", Retriable),
    (41, "NOT_CONTROLLER", Retriable),
    (89, "THROTTLING_QUOTA_EXCEEDED", Retriable),
    (17, "INVALID_TOPIC_EXCEPTION", Fatal),
    (29, "TOPIC_AUTHORIZATION_FAILED", Fatal),
    (31, "CLUSTER_AUTHORIZATION_FAILED", Fatal),
    (37, "INVALID_PARTITIONS", Fatal),
    (38, "INVALID_REPLICATION_FACTOR", Fatal),
    (40, "INVALID_CONFIG", Fatal),
    (42, "INVALID_REQUEST", Fatal),
    (44, "POLICY_VIOLATION", Fatal),
];

/// `DeleteRecordsResponse`. What is not deleted now is deleted later: no code may end the job
/// (`TaskManager.maybePurgeCommittedRecords`).
const DELETE_RECORDS: &[Code] = &[
    (1, "OFFSET_OUT_OF_RANGE", Retriable),
    (3, "UNKNOWN_TOPIC_OR_PARTITION", Retriable),
    (6, "NOT_LEADER_OR_FOLLOWER", Retriable),
    (7, "REQUEST_TIMED_OUT", Retriable),
    (44, "POLICY_VIOLATION", Retriable),
    (29, "TOPIC_AUTHORIZATION_FAILED", Retriable),
    (-1, "UNKNOWN_SERVER_ERROR", Retriable),
];
