//! Where Apache Kafka would begin a new segment: what is in the last one is not compacted.
//!
//! Invariant: segments are in offset order, and the last one is where batches are appended.

use std::collections::VecDeque;

use super::batch::Batch;
use crate::clock::Millis;

/// When a new segment begins: `segment.bytes` and `segment.ms`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentLimits {
    pub(crate) bytes: usize,
    pub(crate) time: Millis,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    base_offset: i64,
    bytes: usize,
    first_timestamp: Millis,
}

/// The segments that a partition's log would have.
#[derive(Debug, Default)]
pub(super) struct Segments {
    segments: VecDeque<Segment>,
}

impl Segments {
    /// Puts a batch into the last segment, or into a new one if that is full, or too old by the records' own time.
    pub(super) fn appended(&mut self, batch: &Batch, limits: SegmentLimits) {
        let size = batch.bytes.len();
        let full = |last: &Segment| {
            let waited = batch.max_timestamp.saturating_sub(last.first_timestamp);
            last.bytes.saturating_add(size) > limits.bytes || waited > limits.time
        };
        match self.segments.back_mut().filter(|last| !full(last)) {
            Some(last) => last.bytes += size,
            None => self.segments.push_back(Segment {
                base_offset: batch.base_offset,
                bytes: size,
                first_timestamp: batch.max_timestamp,
            }),
        }
    }

    /// The first offset of the segment that holds an offset, or would.
    pub(super) fn base_of(&self, offset: i64) -> i64 {
        let until = self
            .segments
            .partition_point(|one| one.base_offset <= offset);
        let before = until
            .checked_sub(1)
            .and_then(|index| self.segments.get(index));
        before.map_or(0, |segment| segment.base_offset)
    }

    /// The log begins at this offset now.
    pub(super) fn deleted_before(&mut self, start: i64) {
        while self
            .segments
            .get(1)
            .is_some_and(|second| second.base_offset <= start)
        {
            self.segments.pop_front();
        }
    }
}
