//! How large a record may be: for the client, and for the topic.

use std::collections::BTreeMap;

/// The largest records that may be written, by topic.
#[derive(Clone, Debug)]
pub(crate) struct RecordLimits {
    /// What the client itself takes.
    client: usize,
    /// What brokers take for the output topics that were known at the start (`max.message.bytes`).
    topics: BTreeMap<String, usize>,
}

impl RecordLimits {
    /// `client`: what `message.max.bytes` says, if anything does.
    pub(super) fn new(client: Option<usize>, topics: BTreeMap<String, usize>) -> Self {
        Self {
            client: client.unwrap_or(MESSAGE_MAX_BYTES),
            topics,
        }
    }

    pub(crate) fn of(&self, topic: &str) -> usize {
        // The client's own limit is without what a batch adds.
        let client = self.client.saturating_add(RECORD_OVERHEAD);
        self.topics
            .get(topic)
            .map_or(client, |limit| client.min(*limit))
    }
}

/// What a record adds to its key, value and headers, at most, in a batch of its own
/// (`org.apache.kafka.common.record.DefaultRecordBatch`, `DefaultRecord`).
pub(crate) const RECORD_OVERHEAD: usize = 61 + 5 + 21;

/// librdkafka's default for `message.max.bytes`: of key, value and headers together.
pub(crate) const MESSAGE_MAX_BYTES: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_counts() {
        let topics = BTreeMap::from([("small".to_owned(), 500), ("large".to_owned(), 2_000_000)]);
        let limits = RecordLimits::new(None, topics.clone());
        let of_client = MESSAGE_MAX_BYTES + RECORD_OVERHEAD;
        assert_eq!(
            ["small", "large", "other"].map(|topic| limits.of(topic)),
            [500, of_client, of_client]
        );
        assert_eq!(
            RecordLimits::new(Some(100), topics).of("small"),
            100 + RECORD_OVERHEAD
        );
    }
}
