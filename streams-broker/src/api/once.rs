//! What a request names more than once is answered once: a name of a few bytes may have an answer of many, and a frame has
//! room for a hundred thousand names.
//!
//! Apache Kafka does so for Metadata, Fetch and DescribeTopicPartitions; where it answers each time (DescribeConfigs,
//! OffsetFetch, the descriptions of groups, producers and transactions), clients keep what they get by its name.

use std::collections::HashSet;
use std::hash::Hash;

/// The first of each key, in order.
pub(super) fn once<T, K: Eq + Hash>(
    named: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = T> {
    let mut seen = HashSet::new();
    named.into_iter().filter(move |one| seen.insert(key(one)))
}
