//! What a store's entries look like in its changelog: as Kafka Streams writes them where it has the same entries, so that its
//! tools can read them.
//!
//! | store | key | value | timestamp |
//! |---|---|---|---|
//! | key-value | the key | the value | the task's stream time |
//! | timestamped key-value | the key | the value | the value's |
//! | window | key, start, number (`WindowKeySchema`) | the value | the start |
//! | session | key, end, start (`SessionKeySchema`) | the value | the end |
//! | versioned | as it is stored, one for each version | as it is stored | the version's |
//!
//! Kafka Streams logs a versioned store as its writes, which compaction can leave in another order than time's; a record for
//! each version cannot be mistaken.

use super::StoreKind;
use super::segments::{SEGMENT, Segments, time_at};
use super::{session_store, versions, window_store};

/// An entry on its way to the changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangelogEntry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    /// Milliseconds since the epoch; `None` where the entry has no time of its own.
    pub(crate) timestamp: Option<i64>,
}

/// How long a changelog keeps the record of a removal before compaction may take it (Kafka's own default): a store that
/// was written longer ago may lack removals that its changelog does not have any more.
pub(crate) const REMOVALS_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// How much longer than its history the changelog of a versioned store is left uncompacted
/// (`windowstore.changelog.additional.retention.ms`, as Kafka Streams has it by default).
pub(crate) const ADDITIONAL_RETENTION_MS: i64 = 24 * 60 * 60 * 1_000;

impl StoreKind {
    /// The record of an entry, or of its removal.
    pub(crate) fn logged<'a>(self, key: &'a [u8], stored: Option<&'a [u8]>) -> ChangelogEntry<'a> {
        let (logged_key, value, timestamp) = match self {
            Self::KeyValue => (key, stored, None),
            // The timestamp of a timestamped value is the record's, and not in its value
            // (`org.apache.kafka.streams.state.internals.ChangeLoggingTimestampedKeyValueBytesStore`).
            Self::TimestampedKeyValue => match stored.and_then(|stored| stored.split_first_chunk())
            {
                Some((timestamp, value)) => {
                    (key, Some(value), Some(i64::from_be_bytes(*timestamp)))
                }
                None => (key, None, None),
            },
            Self::Window(_) => (
                key.get(SEGMENT..).unwrap_or_default(),
                stored,
                window_store::time_of(key),
            ),
            Self::Session(_) => (
                key.get(SEGMENT..).unwrap_or_default(),
                stored,
                session_store::time_of(key),
            ),
            Self::Versioned(_) => (
                key,
                stored,
                stored.and_then(|s| Some(i64::from_be_bytes(*s.first_chunk()?))),
            ),
        };
        ChangelogEntry {
            key: logged_key,
            value,
            timestamp,
        }
    }

    /// Whether a record of the changelog can be one of such a store.
    pub(crate) fn reads(self, logged: &[u8], value: Option<&[u8]>) -> bool {
        match self {
            Self::KeyValue | Self::TimestampedKeyValue => true,
            Self::Window(_) => logged.len() >= window_store::SUFFIX,
            Self::Session(_) => logged.len() >= session_store::SUFFIX,
            Self::Versioned(segments) => versions::reads(segments, logged, value),
        }
    }

    /// Appends the key under which a record of the changelog is stored.
    pub(crate) fn restored_key(self, logged: &[u8], key: &mut Vec<u8>) {
        let mut begin = |segments: Segments, time: Option<i64>| {
            segments.begin_key(time.unwrap_or_default(), key);
        };
        match self {
            Self::KeyValue | Self::TimestampedKeyValue | Self::Versioned(_) => {}
            Self::Window(segments) => begin(segments, time_at(logged, window_store::SUFFIX)),
            Self::Session(segments) => begin(segments, time_at(logged, session_store::SUFFIX)),
        }
        key.extend_from_slice(logged);
    }

    /// Appends what is stored for a record of the changelog. `false` is a removal.
    pub(crate) fn restored(
        self,
        value: Option<&[u8]>,
        timestamp: i64,
        stored: &mut Vec<u8>,
    ) -> bool {
        let Some(value) = value else {
            return false;
        };
        if self == Self::TimestampedKeyValue {
            stored.extend_from_slice(&timestamp.to_be_bytes());
        }
        stored.extend_from_slice(value);
        true
    }

    /// The settings of the changelog topic, as `org.apache.kafka.streams.processor.internals.InternalTopicConfig` has
    /// them. What a store forgets by time is removed from its changelog too, so none needs retention.
    pub(crate) fn changelog_settings(self) -> Vec<(&'static str, String)> {
        let removals = ("delete.retention.ms", REMOVALS_KEPT_MS.to_string());
        let mut settings = vec![("cleanup.policy", "compact".to_owned()), removals];
        if let Self::Versioned(segments) = self {
            // `org.apache.kafka.streams.processor.internals.VersionedChangelogTopicConfig`.
            let lag = segments.retention().saturating_add(ADDITIONAL_RETENTION_MS);
            settings.push(("min.compaction.lag.ms", lag.to_string()));
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENTS: Segments = Segments::new(20, 10);

    /// Goes to the changelog and back.
    fn back(kind: StoreKind, key: &[u8], stored: &[u8]) -> (Vec<u8>, Vec<u8>, Option<i64>) {
        let entry = kind.logged(key, Some(stored));
        let mut restored = Vec::new();
        let timestamp = entry.timestamp.unwrap_or(99);
        assert!(kind.restored(entry.value, timestamp, &mut restored));
        let mut restored_key = Vec::new();
        kind.restored_key(entry.key, &mut restored_key);
        (restored_key, restored, entry.timestamp)
    }

    #[test]
    fn what_is_stored_comes_back_from_the_changelog() {
        let time = |time: i64| time.to_be_bytes();
        let timestamped = [time(7).as_slice(), b"value"].concat();
        let window = [&time(2), b"key".as_slice(), &time(27), &[0; 4]].concat();
        let session = [&time(2), b"key".as_slice(), &time(28), &time(3)].concat();
        let version = [time(5).as_slice(), b"value"].concat();
        for (kind, key, stored, timestamp) in [
            (
                StoreKind::KeyValue,
                b"key".as_slice(),
                b"value".as_slice(),
                None,
            ),
            (
                StoreKind::TimestampedKeyValue,
                b"key",
                &timestamped,
                Some(7),
            ),
            (StoreKind::Window(SEGMENTS), &window, b"value", Some(27)),
            (StoreKind::Session(SEGMENTS), &session, b"value", Some(28)),
            (
                StoreKind::Versioned(SEGMENTS),
                b"\x01key",
                &version,
                Some(5),
            ),
        ] {
            assert_eq!(
                back(kind, key, stored),
                (key.to_vec(), stored.to_vec(), timestamp),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_window_is_logged_as_kafka_streams_does() {
        let key = [
            &2_i64.to_be_bytes(),
            b"key".as_slice(),
            &27_i64.to_be_bytes(),
            &[0; 4],
        ]
        .concat();
        let entry = StoreKind::Window(SEGMENTS).logged(&key, Some(b"value"));
        assert_eq!(entry.key, key.get(8..).unwrap_or_default());
        assert_eq!(entry.value, Some(b"value".as_slice()));
    }

    #[test]
    fn a_removal_is_a_null() {
        for kind in [StoreKind::TimestampedKeyValue, StoreKind::KeyValue] {
            assert_eq!(kind.logged(b"key", None).value, None);
            assert!(!kind.restored(None, 7, &mut Vec::new()));
        }
    }
}
