//! What a record is measured by before it goes to the producer: its size, and what is said where that is too much.

use crate::kafka::record_limits::RECORD_OVERHEAD;
use crate::processor::StagedRecord;

/// What a header adds to its name and value, at most.
const HEADER_OVERHEAD: usize = 10;

/// The size of a record in a batch of its own, uncompressed, rounded up by a few bytes.
#[inline]
pub(super) fn size_at_most(record: &StagedRecord<'_>) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let mut size = RECORD_OVERHEAD + length(record.key) + length(record.value);
    for (name, value) in record.headers.iter() {
        size += HEADER_OVERHEAD + name.len() + length(value);
    }
    size
}

/// Why a record cannot be written.
#[cold]
pub(super) fn refusal(topic: &str, size: usize, limit: usize, timestamp: i64) -> String {
    if timestamp < 0 {
        return format!(
            "a record for `{topic}` has the timestamp {timestamp}, where 0 or more is needed"
        );
    }
    format!(
        "a record for `{topic}` has {size} bytes, and at most {limit} are taken: raise the topic's `max.message.bytes` and the property `message.max.bytes`, or write smaller records"
    )
}
