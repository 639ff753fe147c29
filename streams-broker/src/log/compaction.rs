//! Compaction: of each key the last record stays, at its offset.
//!
//! Invariants, as in Apache Kafka's cleaner:
//! - Nothing at or above the last stable offset is touched, nor what is younger than `min.compaction.lag.ms`.
//! - Offsets don't change: batches keep their first and last offset, and get holes.
//! - Records of aborted transactions go. A tombstone and a transaction's marker stay for `delete.retention.ms` after the
//!   first compaction that met them, so that a reader who is that late still sees them; the marker stays longer while a
//!   record of its transaction is there.
//! - The last batch stays, so that a reader's position can reach the end.
//! - What is compressed stays so, and the batches take no more bytes than there is room for.
//! - What was compacted before has each key once: only keys that came since are looked for.

use std::collections::HashSet;

use super::Log;
use super::aborted::AbortedByProducer;
use super::batch::Batch;
use super::latest::{Latest, MOST_KEYS};
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

/// One compaction of a log: what it knows, and what comes of it.
#[derive(Debug)]
struct Pass {
    latest: Latest,
    aborted: AbortedByProducer,
    now: Millis,
    /// When what is marked for deletion now may go.
    horizon: Millis,
    /// How many more bytes the batches may take.
    room: usize,
    /// The producers of records whose marker has not come yet.
    open: HashSet<i64>,
    /// The offsets of markers that are gone.
    gone: HashSet<i64>,
    /// Whether something has too many records still, for lack of room.
    is_unfinished: bool,
}

impl Log {
    /// Compacts as far as the rules above allow, so that no more than `room` bytes come on top.
    pub(crate) fn compact(
        &mut self,
        compaction: Compaction,
        reach: Reach,
        room: usize,
        now: Millis,
    ) {
        let bound = self.compaction_bound(compaction, reach, now);
        if reach == Reach::Segments && !self.is_dirty(compaction, bound, now) {
            return;
        }
        let aborted = self.aborted.by_producer();
        let (latest, bound) = self.latest(bound, &aborted, Latest::new(MOST_KEYS));
        let mut pass = Pass {
            latest,
            aborted,
            now,
            horizon: now.saturating_add(compaction.delete_retention),
            room,
            open: HashSet::new(),
            gone: HashSet::new(),
            is_unfinished: false,
        };
        let count = self
            .batches
            .partition_point(|batch| batch.base_offset < bound);
        let later = self.batches.split_off(count);
        let all = std::mem::take(&mut self.batches).into_iter();
        self.batches = all.filter_map(|batch| pass.keep(batch)).collect();
        self.batches.extend(later);
        self.bytes = self.batches.iter().map(|batch| batch.bytes.len()).sum();
        self.aborted.forget(&pass.gone);
        if !pass.is_unfinished {
            self.compacted_to = self.compacted_to.max(bound);
        }
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

    /// The last offset of each key below the bound that has come since the last compaction, and the bound: a lower one if
    /// there are too many keys.
    fn latest(&self, bound: i64, aborted: &AbortedByProducer, mut latest: Latest) -> (Latest, i64) {
        let clean = |batch: &Batch| batch.last_offset() < self.compacted_to;
        let dirty = self.batches.range(self.batches.partition_point(clean)..);
        for batch in dirty.take_while(|batch| batch.base_offset < bound) {
            if batch.is_control() || aborted.has(batch) {
                continue;
            }
            if latest.is_full() {
                return (latest, batch.base_offset);
            }
            let content = batch.content().unwrap_or_default();
            for record in records(&content) {
                if let Some(key) = record.key {
                    latest.put(key, batch.offset_of(&record));
                }
            }
        }
        (latest, bound)
    }
}

impl Pass {
    /// What stays of a batch.
    fn keep(&mut self, batch: Batch) -> Option<Batch> {
        let before = batch.bytes.len();
        let kept = if batch.is_control() {
            self.keep_marker(batch)
        } else {
            self.keep_records(batch)
        };
        let after = kept.as_ref().map_or(0, |kept| kept.bytes.len());
        self.room = self.room.saturating_add(before).saturating_sub(after);
        kept
    }

    /// A marker goes when nobody needs it: not its records, for they are gone, nor a reader who is late.
    fn keep_marker(&mut self, mut marker: Batch) -> Option<Batch> {
        if self.open.remove(&marker.producer_id) {
            return Some(marker);
        }
        if *marker.delete_horizon.get_or_insert(self.horizon) > self.now {
            return Some(marker);
        }
        self.gone.insert(marker.base_offset);
        None
    }

    fn keep_records(&mut self, mut batch: Batch) -> Option<Batch> {
        if self.aborted.has(&batch) {
            return None;
        }
        // What cannot be read is left as it is.
        if let Ok(content) = batch.content() {
            let all: Vec<_> = records(&content).collect();
            let late = batch
                .delete_horizon
                .is_some_and(|horizon| horizon <= self.now);
            let stays = |record: &&Record<'_>| {
                let offset = batch.offset_of(record);
                let newest = |key| !self.latest.has_later(key, offset);
                record.key.is_some_and(newest) && (record.has_value || !late)
            };
            let kept: Vec<_> = all.iter().filter(stays).copied().collect();
            if kept.is_empty() {
                return None;
            }
            if kept.len() < all.len() {
                batch = self.shortened(batch, &kept);
            }
            let has_tombstone = kept.iter().any(|record| !record.has_value);
            batch.delete_horizon =
                has_tombstone.then(|| batch.delete_horizon.unwrap_or(self.horizon));
        }
        if batch.is_transactional() {
            self.open.insert(batch.producer_id);
        }
        Some(batch)
    }

    /// The batch with these of its records. That takes more bytes where it was compressed better than it is now; if there
    /// is no room for them it stays as it is.
    fn shortened(&mut self, batch: Batch, kept: &[Record<'_>]) -> Batch {
        let room = batch.bytes.len().saturating_add(self.room);
        let shortened = batch.with_records(kept);
        if let Some(shortened) = shortened.filter(|shorter| shorter.bytes.len() <= room) {
            return shortened;
        }
        self.is_unfinished = true;
        batch
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use bytes::Bytes;

    use super::super::batch::tests::{compressed, densely_compressed, keyed};
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
        append_batch(log, &keyed(producer, keys));
    }

    fn append_batch(log: &mut Log, batch: &Bytes) {
        let offered = Offered::from_client(batch, usize::MAX).unwrap();
        log.append(offered, ADMISSION, Beginning::Anywhere, 0)
            .unwrap();
    }

    fn compact(log: &mut Log, now: Millis) {
        log.compact(COMPACTION, Reach::Everything, usize::MAX, now);
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
    fn what_is_compressed_stays_so() {
        for codec in 1..=4 {
            let mut log = Log::default();
            append_batch(&mut log, &compressed(&keyed(None, &"ab".repeat(30)), codec));
            append(&mut log, None, "a");
            append(&mut log, None, "z");
            let before = log.bytes();
            compact(&mut log, 0);
            assert_eq!(keys(&log), found(&[(59, "b"), (60, "a"), (61, "z")]));
            let first = &log.batches[0];
            assert_eq!(first.attributes, i16::from(codec));
            let read = Batch::read(&first.bytes).unwrap();
            assert!(read.has_right_checksum() && read.attributes == first.attributes);
            assert!(log.bytes() < before, "codec {codec}");
        }
    }

    /// Shortened, it would take more bytes than the client has made of it.
    #[test]
    fn what_there_is_no_room_for_waits_for_a_later_compaction() {
        let mut log = Log::default();
        append_batch(&mut log, &densely_compressed(&keyed(None, "ab")));
        append(&mut log, None, "a");
        append(&mut log, None, "z");
        let before = log.bytes();
        log.compact(COMPACTION, Reach::Everything, 0, 0);
        assert_eq!(log.bytes(), before);
        let all = [(0, "a"), (1, "b"), (2, "a"), (3, "z")];
        assert_eq!(keys(&log), found(&all));
        // What others give back may be used.
        append_batch(&mut log, &densely_compressed(&keyed(None, "cdefghi")));
        append(&mut log, None, "cdefghiz");
        compact(&mut log, 0);
        assert!(log.bytes() > before);
        assert_eq!(keys(&log)[..3], found(&all[1..]));
    }

    #[test]
    fn a_key_that_comes_again_is_found_in_what_was_compacted_before() {
        let mut log = Log::default();
        append(&mut log, None, "ab");
        append(&mut log, None, "z");
        compact(&mut log, 0);
        append(&mut log, None, "a");
        append(&mut log, None, "z");
        compact(&mut log, 0);
        append(&mut log, None, "y");
        compact(&mut log, 0);
        assert_eq!(keys(&log), found(&[(1, "b"), (3, "a"), (4, "z"), (5, "y")]));
    }

    #[test]
    fn of_too_many_keys_the_first_are_compacted() {
        let mut log = Log::default();
        for keys in ["aab", "cd", "ac", "z"] {
            append(&mut log, None, keys);
        }
        let none = log.aborted.by_producer();
        let (latest, bound) = log.latest(7, &none, Latest::new(3));
        assert_eq!(bound, 5, "the batch that makes it full is put whole");
        assert!(latest.has_later(b"a", 0) && !latest.has_later(b"a", 1));
        let (latest, bound) = log.latest(7, &none, Latest::new(5));
        assert_eq!(bound, 7);
        assert!(latest.has_later(b"c", 3));
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
        assert_eq!(log.aborted.len(), 0);
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
        log.compact(careful, Reach::Everything, usize::MAX, 49);
        assert_eq!(log.batches.len(), 4);
        log.compact(careful, Reach::Everything, usize::MAX, 50);
        assert_eq!(log.batches.len(), 3);
    }
}
