//! Compaction: of each key the last record stays, at its offset.
//!
//! Invariants, as in Apache Kafka's cleaner:
//! - Nothing at or above the last stable offset is touched, nor what is younger than `min.compaction.lag.ms`.
//! - Offsets don't change: batches keep their first and last offset, and get holes.
//! - Records of aborted transactions go. A tombstone and a transaction's marker stay for `delete.retention.ms` after the
//!   first compaction that met them, so that a reader who is that late still sees them; the marker stays longer while a
//!   record of its transaction is there.
//! - The last batch stays, so that a reader's position can reach the end.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::Log;
use super::batch::Batch;
use super::record::{Record, records};
use crate::clock::Millis;

/// How a compacted topic's partitions are compacted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compaction {
    /// `min.compaction.lag.ms`
    pub(crate) min_lag: Millis,
    /// `max.compaction.lag.ms`
    pub(crate) max_lag: Millis,
    /// `delete.retention.ms`
    pub(crate) delete_retention: Millis,
    /// `min.cleanable.dirty.ratio`
    pub(crate) dirty_ratio: f64,
}

/// How far a compaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Up to the segment that is appended to, and only if enough is dirty.
    Segments,
    /// Up to the last batch, as if a new segment had begun before it.
    Everything,
}

/// The last offset of each key.
type Latest = HashMap<Bytes, i64>;

impl Log {
    /// Compacts as far as the rules above allow.
    pub(crate) fn compact(&mut self, compaction: Compaction, reach: Reach, now: Millis) {
        let bound = self.compaction_bound(compaction, reach, now);
        if reach == Reach::Segments && !self.is_dirty(compaction, bound, now) {
            return;
        }
        let latest = self.latest(bound);
        let horizon = now.saturating_add(compaction.delete_retention);
        let count = self
            .batches
            .partition_point(|batch| batch.base_offset < bound);
        let later = self.batches.split_off(count);
        let mut open = HashSet::new();
        for batch in std::mem::take(&mut self.batches) {
            let kept = if batch.is_control() {
                self.keep_marker(batch, &mut open, horizon, now)
            } else {
                self.keep_records(batch, &latest, horizon, now)
            };
            let Some(kept) = kept else { continue };
            if kept.is_transactional() && !kept.is_control() {
                open.insert(kept.producer_id);
            }
            self.batches.push_back(kept);
        }
        self.batches.extend(later);
        self.bytes = self.batches.iter().map(|batch| batch.bytes.len()).sum();
        self.compacted_to = self.compacted_to.max(bound);
    }

    /// The first offset that isn't compacted.
    fn compaction_bound(&self, compaction: Compaction, reach: Reach, now: Millis) -> i64 {
        let last = self
            .batches
            .back()
            .map_or(self.start, |last| last.base_offset);
        let youngest = now.saturating_sub(compaction.min_lag);
        let young = |batch: &&Batch| compaction.min_lag > 0 && batch.max_timestamp > youngest;
        let young = self.batches.iter().find(young);
        let bound = last.min(self.last_stable());
        let bound = young.map_or(bound, |batch| bound.min(batch.base_offset));
        match reach {
            // A segment is compacted whole or not at all.
            Reach::Segments => self.segments.base_of(bound),
            Reach::Everything => bound,
        }
    }

    /// Whether enough below the bound was never compacted, or something has waited for too long.
    fn is_dirty(&self, compaction: Compaction, bound: i64, now: Millis) -> bool {
        let (mut dirty, mut all, mut late) = (0, 0, false);
        for batch in self
            .batches
            .iter()
            .take_while(|batch| batch.base_offset < bound)
        {
            all += batch.bytes.len();
            if batch.base_offset >= self.compacted_to {
                dirty += batch.bytes.len();
                late |= now.saturating_sub(batch.max_timestamp) > compaction.max_lag;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio need not be exact")]
        let ratio = dirty as f64 / (all as f64).max(1.0);
        dirty > 0 && (late || ratio >= compaction.dirty_ratio)
    }

    fn latest(&self, bound: i64) -> Latest {
        let mut latest = Latest::new();
        for batch in self
            .batches
            .iter()
            .take_while(|batch| batch.base_offset < bound)
        {
            if batch.is_control() || self.is_aborted(batch) {
                continue;
            }
            let content = batch.content().unwrap_or_default();
            for record in records(&content) {
                if let Some(key) = record.key {
                    // A copy: a part of the content would keep all of it in memory, decompressed, for each batch.
                    latest.insert(Bytes::copy_from_slice(key), batch.offset_of(&record));
                }
            }
        }
        latest
    }

    fn is_aborted(&self, batch: &Batch) -> bool {
        batch.is_transactional()
            && self.aborted.iter().any(|aborted| {
                aborted.producer_id == batch.producer_id
                    && (aborted.first_offset..aborted.marker_offset).contains(&batch.base_offset)
            })
    }

    /// A marker goes when nobody needs it: not its records, for they are gone, nor a reader who is late.
    fn keep_marker(
        &mut self,
        mut marker: Batch,
        open: &mut HashSet<i64>,
        horizon: Millis,
        now: Millis,
    ) -> Option<Batch> {
        if open.remove(&marker.producer_id) {
            return Some(marker);
        }
        if *marker.delete_horizon.get_or_insert(horizon) > now {
            return Some(marker);
        }
        self.aborted
            .retain(|aborted| aborted.marker_offset != marker.base_offset);
        None
    }

    fn keep_records(
        &self,
        mut batch: Batch,
        latest: &Latest,
        horizon: Millis,
        now: Millis,
    ) -> Option<Batch> {
        if self.is_aborted(&batch) {
            return None;
        }
        // What cannot be read is left as it is.
        let Ok(content) = batch.content() else {
            return Some(batch);
        };
        let late = batch.delete_horizon.is_some_and(|horizon| horizon <= now);
        let stays = |record: &Record<'_>| {
            let newest =
                record.key.and_then(|key| latest.get(key)) == Some(&batch.offset_of(record));
            newest && (record.has_value || !late)
        };
        let kept: Vec<_> = records(&content).filter(stays).collect();
        if kept.is_empty() {
            return None;
        }
        let has_tombstone = kept.iter().any(|record| !record.has_value);
        let all = kept.len() == records(&content).count();
        if !all {
            batch = batch.with_records(&kept);
        }
        batch.delete_horizon = has_tombstone.then(|| batch.delete_horizon.unwrap_or(horizon));
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::super::batch::tests::keyed;
    use super::super::batch::{Marker, Outcome};
    use super::super::{Admission, Beginning, Isolation, Limit, Offered, SegmentLimits};
    use super::*;

    const ADMISSION: Admission = Admission {
        max_bytes: 1_000,
        stamp: false,
        before: i64::MAX,
        after: i64::MAX,
        keyed: true,
        segments: SegmentLimits {
            bytes: usize::MAX,
            time: i64::MAX,
        },
    };
    const COMPACTION: Compaction = Compaction {
        min_lag: 0,
        max_lag: i64::MAX,
        delete_retention: 100,
        dirty_ratio: 0.5,
    };

    /// Appends a batch of these keys, of which those in capitals are tombstones.
    fn append(log: &mut Log, producer: Option<i64>, keys: &str) {
        let offered = Offered::from_client(&keyed(producer, keys)).unwrap();
        log.append(offered, ADMISSION, Beginning::Anywhere, 0)
            .unwrap();
    }

    fn compact(log: &mut Log, now: Millis) {
        log.compact(COMPACTION, Reach::Everything, now);
    }

    fn keys(log: &Log) -> Vec<(i64, String)> {
        let mut keys = Vec::new();
        for batch in log.batches.iter().filter(|batch| !batch.is_control()) {
            for record in records(&batch.content().unwrap()) {
                let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                keys.push((batch.offset_of(&record), key));
            }
        }
        keys
    }

    fn found(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
        let owned = |(offset, key): &(i64, &str)| (*offset, (*key).to_owned());
        expected.iter().map(owned).collect()
    }

    #[test]
    fn all_but_the_last_batch_is_compacted_on_command() {
        let mut log = Log::default();
        append(&mut log, None, "aba");
        append(&mut log, None, "ca");
        append(&mut log, None, "b");
        compact(&mut log, 0);
        assert_eq!(keys(&log), found(&[(1, "b"), (3, "c"), (4, "a"), (5, "b")]));
        let all = Limit {
            bytes: usize::MAX,
            at_least_one: true,
        };
        let read = log.read(0, Isolation::ReadUncommitted, all).unwrap();
        // What was rewritten is as sound as what a client sends.
        assert!(read.batches.iter().all(|bytes| {
            let sum = u32::from_be_bytes(bytes[17..21].try_into().unwrap());
            sum == crc32c::crc32c(&bytes[21..])
        }));
    }

    #[test]
    fn a_tombstone_and_a_marker_stay_for_the_delete_retention() {
        let mut log = Log::default();
        append(&mut log, Some(1), "a");
        log.append_marker(Marker::of(1, 0, Outcome::Commit), 0);
        append(&mut log, None, "A");
        append(&mut log, None, "z");
        compact(&mut log, 0);
        assert_eq!(keys(&log).first(), Some(&(2, "a".to_owned())));
        assert_eq!(
            log.batches.len(),
            3,
            "the marker, the tombstone, the last batch"
        );
        compact(&mut log, 99);
        assert_eq!(log.batches.len(), 3);
        compact(&mut log, 100);
        assert_eq!(log.batches.len(), 1);
    }

    #[test]
    fn a_marker_stays_with_its_records_and_an_aborted_one_takes_them_along() {
        let mut log = Log::default();
        append(&mut log, Some(1), "a");
        log.append_marker(Marker::of(1, 0, Outcome::Commit), 0);
        append(&mut log, Some(2), "ba");
        log.append_marker(Marker::of(2, 0, Outcome::Abort), 0);
        append(&mut log, None, "z");
        for now in [0, 100, 200] {
            compact(&mut log, now);
        }
        assert_eq!(keys(&log).first(), Some(&(0, "a".to_owned())));
        assert_eq!(log.batches.len(), 3, "a record, its marker, the last batch");
        assert!(log.aborted.is_empty());
    }

    #[test]
    fn an_open_transaction_and_what_is_young_are_left_alone() {
        let mut log = Log::default();
        append(&mut log, Some(1), "a");
        append(&mut log, None, "a");
        append(&mut log, None, "z");
        compact(&mut log, 0);
        assert_eq!(log.batches.len(), 3);
        log.append_marker(Marker::of(1, 0, Outcome::Commit), 0);
        let careful = Compaction {
            min_lag: 50,
            ..COMPACTION
        };
        log.compact(careful, Reach::Everything, 49);
        assert_eq!(log.batches.len(), 4);
        log.compact(careful, Reach::Everything, 50);
        assert_eq!(log.batches.len(), 3);
    }
}
