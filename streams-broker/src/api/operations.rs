//! What a client may do. There is no access control, so it may do everything, as with Apache Kafka without an authorizer.
//!
//! Answers have a bit for each of `AclOperation`'s numbers, of the operations that a resource knows
//! (`AclEntry.supportedOperations`).

/// Stands for what was not asked for.
pub(super) const UNTOLD: i32 = i32::MIN;

/// Create, alter, describe, cluster action, describe and alter configurations, idempotent write.
pub(super) const OF_CLUSTER: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);
/// Read, write, create, delete, alter, describe, describe and alter configurations.
pub(super) const OF_TOPIC: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// Read, delete, describe, describe and alter configurations.
pub(super) const OF_GROUP: i32 = bits(&[3, 6, 8, 10, 11]);

const fn bits(operations: &[u8]) -> i32 {
    let (mut bits, mut rest) = (0, operations);
    while let Some((operation, others)) = rest.split_first() {
        bits |= 1 << *operation;
        rest = others;
    }
    bits
}
