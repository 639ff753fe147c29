//! What can be asked for, in which versions.

use kafka_protocol::messages::ApiVersionsRequest;

use crate::wire::Wire;

/// What Apache Kafka 4.3.1 has and the embedded broker hasn't; its documentation names them.
const ELSEWHERE: &[i16] = &[
    17, 36, // SASL
    29, 30, 31, // access control
    34, // AlterReplicaLogDirs
    38, 39, 40, 41, // delegation tokens
    45, 46, // AlterPartitionReassignments, ListPartitionReassignments
    48, 49, // quotas
    50, 51, // SCRAM credentials
    55, // DescribeQuorum
    57, // UpdateFeatures
    64, // UnregisterBroker
    76, 77, 78, 79, // share groups
    80, 81, // AddRaftVoter, RemoveRaftVoter
    83, 84, 85, 86, 87, // the state of share groups
    88, 89, // streams groups
    90, 91, 92, // offsets of share groups
];

const ADD_PARTITIONS_TO_TXN: i16 = 24;

/// API key, first and last version.
const APIS: &[(i16, i16, i16)] = &[
    (0, 0, 13),
    (1, 4, 18),
    (2, 1, 11),
    (3, 0, 13),
    (8, 2, 10),
    (9, 1, 10),
    (10, 0, 6),
    (11, 0, 9),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 6),
    (16, 0, 5),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (21, 0, 2),
    (22, 0, 5),
    (23, 2, 4),
    (24, 0, 3),
    (25, 0, 4),
    (26, 0, 5),
    (27, 1, 2),
    (28, 0, 5),
    (32, 1, 4),
    (33, 0, 2),
    (35, 1, 5),
    (37, 0, 3),
    (42, 0, 2),
    (43, 0, 2),
    (44, 0, 1),
    (47, 0, 0),
    (60, 0, 2),
    (61, 0, 0),
    (65, 0, 0),
    (66, 0, 2),
    (68, 0, 1),
    (69, 0, 1),
    (74, 0, 1),
    (75, 0, 0),
];

#[test]
fn what_can_be_asked_for_is_apache_kafkas() {
    let mut wire = Wire::new();
    let answer = wire.ask(0, ApiVersionsRequest::default());
    let mut found: Vec<_> = answer
        .api_keys
        .iter()
        .map(|api| (api.api_key, api.min_version, api.max_version))
        .filter(|(key, ..)| !ELSEWHERE.contains(key))
        .map(|(key, min, max)| match key {
            // Those that brokers alone send each other are left out.
            ADD_PARTITIONS_TO_TXN => (key, min, max.min(3)),
            _ => (key, min, max),
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, APIS);
}
