//! The log of one partition: batches in offset order, what producers may append, what readers may see.
//!
//! Invariants:
//! - Batches are kept as bytes and never overlap; `start <= base offset of the first <= end`, and an offset is found by
//!   binary search. There may be holes (compaction, deletion), never a second record for an offset.
//! - The last stable offset is the first offset of the earliest open transaction, or the end; of one that was deleted in
//!   part, the first of the batch in which the log starts. It never goes back.
//! - Each aborted transaction that wrote something is indexed by its first offset and its marker's offset, so that a
//!   read-committed reader can drop its records.
//! - One broker, no replicas: what is appended is below the high watermark at once.

mod aborted;
pub(crate) mod batch;
pub(crate) mod codec;
mod compaction;
pub(crate) mod epochs;
mod latest;
mod offered;
mod producers;
mod readers;
mod record;
mod refused;
mod segments;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;

pub(crate) use self::aborted::Aborted;
use self::aborted::AbortedTransactions;
use self::batch::{Batch, Marker, Outcome};
pub(crate) use self::compaction::{Compaction, Reach};
use self::epochs::Epochs;
pub(crate) use self::offered::Offered;
pub(crate) use self::producers::{ActiveProducer, Beginning};
use self::producers::{PRODUCER_BYTES, Producers, Verdict};
pub(crate) use self::readers::{Reader, Readers};
pub(crate) use self::refused::Refusal;
use self::refused::RefusedRecords;
pub(crate) use self::segments::SegmentLimits;
use self::segments::Segments;
use crate::clock::Millis;
use crate::transactions::ClientVersion;

/// What a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

impl Isolation {
    pub(crate) fn from_wire(level: i8) -> Self {
        if level == 1 {
            Isolation::ReadCommitted
        } else {
            Isolation::ReadUncommitted
        }
    }
}

/// A batch takes about so many bytes of memory beside its own.
pub(crate) const BATCH_BYTES: usize = 200;
/// A transaction's marker, and its place in the index.
const MARKER_BYTES: usize = 78 + BATCH_BYTES + size_of::<Aborted>();
/// What a log keeps of a transaction beside its records: the marker, and the producer.
pub(crate) const ENDING_BYTES: usize = MARKER_BYTES + PRODUCER_BYTES;

/// How batches are admitted to a topic's partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission {
    pub(crate) max_bytes: usize,
    /// The broker's time takes the place of the records'.
    pub(crate) stamp: bool,
    /// How far a record's time may lie before and after the broker's.
    pub(crate) before: Millis,
    pub(crate) after: Millis,
    /// A compacted topic takes no record without a key.
    pub(crate) keyed: bool,
    pub(crate) segments: SegmentLimits,
}

impl Admission {
    /// In Apache Kafka's order (`UnifiedLog.append`).
    fn check(self, offered: Offered, now: Millis) -> Result<Batch, Refusal> {
        let batch = &offered.batch;
        if batch.bytes.len() > self.max_bytes {
            return Err(ResponseError::MessageTooLarge.into());
        }
        let early = |earliest: Millis| now.saturating_sub(earliest) > self.before;
        let late = batch.max_timestamp.saturating_sub(now) > self.after;
        let out_of_time = !self.stamp && (offered.earliest.is_some_and(early) || late);
        if out_of_time || (self.keyed && !offered.keyed) {
            let refused = RefusedRecords::new(offered, self, now);
            return Err(Refusal::Records(Box::new(refused)));
        }
        if batch.bytes.len() > self.segments.bytes {
            return Err(ResponseError::RecordListTooLarge.into());
        }
        Ok(offered.batch)
    }
}

/// What a topic keeps, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub(crate) time: Option<Millis>,
    pub(crate) bytes: Option<usize>,
}

/// Where a batch came to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// Where the broker's time took the place of the records' own; of a batch that was there before, its time in any case.
    pub(crate) append_time: Option<Millis>,
}

/// What was read: slices of the log, not copied.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) batches: Vec<Bytes>,
    pub(crate) size: usize,
    /// For read-committed readers only.
    pub(crate) aborted: Option<Vec<Aborted>>,
}

impl Read {
    /// What is read ends where the limit is, as in Apache Kafka: with part of a batch, if there is a whole one before it.
    fn fill_with_part_of(&mut self, batch: &Batch, limit: usize) {
        let room = limit.saturating_sub(self.size);
        if !self.batches.is_empty() && room > 0 {
            self.batches.push(batch.bytes.slice(..room));
            self.size += room;
        }
    }

    /// The batches one after the other.
    pub(crate) fn concatenated(&self) -> Bytes {
        match self.batches.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            several => {
                let mut all = BytesMut::with_capacity(self.size);
                several
                    .iter()
                    .for_each(|batch| all.extend_from_slice(batch));
                all.freeze()
            }
        }
    }
}

/// How much a reader takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) bytes: usize,
    /// Give the first batch even when it is larger, or the reader would never get past it.
    pub(crate) at_least_one: bool,
}

/// One partition's log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    batches: VecDeque<Batch>,
    /// The size of all batches.
    bytes: usize,
    start: i64,
    end: i64,
    producers: Producers,
    aborted: AbortedTransactions,
    epochs: Epochs,
    segments: Segments,
    /// What lies below has been compacted once.
    compacted_to: i64,
    pub(crate) readers: Readers,
}

impl Log {
    /// First offset that can be read.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The high watermark: one past the last record.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// The size of all batches.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The memory that it takes: batches, and what is remembered of producers and transactions when batches are gone.
    pub(crate) fn footprint(&self) -> usize {
        let batches = self.bytes + self.batches.len() * BATCH_BYTES;
        let aborted = self.aborted.len() * size_of::<Aborted>();
        batches + aborted + self.producers.footprint()
    }

    pub(crate) fn last_stable(&self) -> i64 {
        match self.producers.first_unstable() {
            None => self.end,
            Some(offset) if offset >= self.start => offset,
            // Its records were deleted, or some of a batch of which the rest is still there.
            Some(_) => self.first_base(),
        }
    }

    /// Where the first batch begins, or the next will.
    fn first_base(&self) -> i64 {
        let first = self.batches.front();
        first.map_or(self.end, |first| first.base_offset)
    }

    /// The end for readers of this isolation.
    pub(crate) fn end_for(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.end,
            Isolation::ReadCommitted => self.last_stable(),
        }
    }

    /// The epoch of the present leader.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.epochs.current()
    }

    /// The epoch of the leader that wrote an offset.
    pub(crate) fn epoch_of(&self, offset: i64) -> i32 {
        self.epochs.of(offset)
    }

    /// Up to which epoch a log that has got to this one agrees with this log, and up to which offset; `None` for an epoch
    /// that there has not been.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        self.epochs.end_of(epoch, self.end)
    }

    /// Whether a client that names an epoch (-1 is none) knows who leads.
    pub(crate) fn check_leader(&self, epoch: i32) -> Result<(), ResponseError> {
        match epoch {
            ..0 => Ok(()),
            known if known < self.leader_epoch() => Err(ResponseError::FencedLeaderEpoch),
            known if known > self.leader_epoch() => Err(ResponseError::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// The broker was restarted: the partition had no leader for a while.
    pub(crate) fn restarted(&mut self) {
        self.epochs.restarted(self.end);
        if self.start < self.end {
            self.producers.restarted();
        } else {
            // What was known of them belongs to the log's end, and is deleted with what is not above its start.
            self.producers = Producers::default();
        }
    }

    /// A transactional batch has come, and is about to be verified, unless its epoch is over: what comes later does not
    /// overtake it.
    pub(crate) fn coming(&mut self, offered: &Offered, now: Millis) -> Result<(), ResponseError> {
        self.producers.check_epoch(&offered.batch)?;
        self.producers.coming(&offered.batch, now);
        Ok(())
    }

    /// Whether the batch is here already, so that appending it would leave nothing more.
    pub(crate) fn is_duplicate(&self, batch: &Batch) -> bool {
        self.producers.is_duplicate(batch)
    }

    /// Appends a client's batch, or says at which offset it is already.
    pub(crate) fn append(
        &mut self,
        offered: Offered,
        admission: Admission,
        beginning: Beginning,
        now: Millis,
    ) -> Result<Appended, Refusal> {
        let batch = admission.check(offered, now)?;
        if let Verdict::Duplicate { base_offset, time } = self.producers.judge(&batch, beginning)? {
            return Ok(Appended {
                base_offset,
                append_time: Some(time),
            });
        }
        let batch = if admission.stamp {
            batch.stamped(now)
        } else {
            batch
        };
        let append_time = admission.stamp.then_some(now);
        let batch = batch.at(self.end, self.leader_epoch());
        let base_offset = batch.base_offset;
        self.producers.appended(&batch);
        self.segments.appended(&batch, admission.segments);
        self.push(batch);
        Ok(Appended {
            base_offset,
            append_time,
        })
    }

    /// Whether a marker that comes from elsewhere than the coordinator may be appended.
    pub(crate) fn check_marker(
        &self,
        marker: Marker,
        version: ClientVersion,
    ) -> Result<(), ResponseError> {
        self.producers.judge_marker(marker, version)
    }

    /// Ends the producer's transaction with a control batch and gives its offset.
    pub(crate) fn append_marker(&mut self, marker: Marker, now: Millis) -> i64 {
        let marker_offset = self.end;
        let begun = self.producers.ended(marker, now);
        if let (Some(first_offset), Outcome::Abort) = (begun, marker.outcome) {
            self.aborted.push(Aborted {
                producer_id: marker.producer_id,
                first_offset,
                marker_offset,
                last_stable: self.producers.first_unstable().unwrap_or(marker_offset),
            });
        }
        self.push(Batch::marker(marker, now).at(marker_offset, self.leader_epoch()));
        marker_offset
    }

    fn push(&mut self, mut batch: Batch) {
        let before = self.batches.back().map(|last| last.latest_so_far);
        batch.latest_so_far =
            before.map_or(batch.max_timestamp, |time| time.max(batch.max_timestamp));
        self.end = batch.last_offset().saturating_add(1);
        self.bytes += batch.bytes.len();
        self.batches.push_back(batch);
        self.readers.wake();
    }

    /// The producers that have written here, by their ids.
    pub(crate) fn active_producers(&self) -> Vec<ActiveProducer> {
        self.producers.active()
    }

    /// Forgets producers that have written nothing since.
    pub(crate) fn expire_producers(&mut self, until: Millis) {
        self.producers.expire(until);
    }

    /// Reads from `offset` on, up to what the isolation allows.
    pub(crate) fn read(
        &self,
        offset: i64,
        isolation: Isolation,
        limit: Limit,
    ) -> Result<Read, ResponseError> {
        if offset < self.start || offset > self.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let bound = self.end_for(isolation);
        let mut read = Read::default();
        let mut next = offset;
        let from = self
            .batches
            .partition_point(|batch| batch.last_offset() < offset);
        for batch in self.batches.range(from..) {
            let fits = read.size.saturating_add(batch.bytes.len()) <= limit.bytes;
            let forced = limit.at_least_one && read.batches.is_empty();
            if batch.base_offset >= bound {
                break;
            }
            if !(fits || forced) {
                read.fill_with_part_of(batch, limit.bytes);
                break;
            }
            read.size += batch.bytes.len();
            read.batches.push(batch.bytes.clone());
            next = batch.last_offset().saturating_add(1);
        }
        if isolation == Isolation::ReadCommitted {
            // Of nothing nothing is told.
            let is_empty = read.batches.is_empty();
            let aborted = (!is_empty).then(|| self.aborted.between(offset, next));
            read.aborted = Some(aborted.unwrap_or_default());
        }
        Ok(read)
    }

    /// Deletes what lies before `offset` and gives the new start. Whole batches go; part of a batch is only hidden.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<i64, ResponseError> {
        if offset > self.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        self.start = self.start.max(offset);
        let start = self.start;
        let gone = |batch: &mut Batch| batch.last_offset() < start;
        while let Some(batch) = self.batches.pop_front_if(gone) {
            self.bytes = self.bytes.saturating_sub(batch.bytes.len());
        }
        self.segments.deleted_before(start);
        self.epochs.deleted_before(start);
        self.aborted.deleted_before(start);
        Ok(self.start)
    }

    /// Deletes from the start what is too old or too much, also of a transaction that is still open.
    pub(crate) fn retain(&mut self, retention: Retention, now: Millis) {
        let mut size = self.bytes();
        let mut start = self.start;
        for batch in &self.batches {
            let too_old = retention
                .time
                .is_some_and(|time| batch.max_timestamp < now.saturating_sub(time));
            // What is left must not fall below the limit.
            let without = size.saturating_sub(batch.bytes.len());
            let too_much = retention.bytes.is_some_and(|bytes| without >= bytes);
            if !(too_old || too_much) {
                break;
            }
            (size, start) = (without, batch.last_offset().saturating_add(1));
        }
        // The start lies between the old one and the end, so this cannot be refused.
        let _ = self.delete_before(start);
    }

    /// The first record or marker at or after a timestamp that the isolation allows: (timestamp, offset).
    pub(crate) fn find_by_time(
        &self,
        timestamp: Millis,
        isolation: Isolation,
    ) -> Option<(Millis, i64)> {
        let early = |batch: &Batch| batch.latest_so_far < timestamp;
        let batches = self.batches.range(self.batches.partition_point(early)..);
        let late = |batch: &&Batch| batch.max_timestamp >= timestamp;
        let records = batches.filter(late).flat_map(Batch::timestamps);
        let right = |&(offset, time): &(i64, i64)| time >= timestamp && offset >= self.start;
        self.allowed(records.into_iter().find(right), isolation)
    }

    /// The record or marker with the largest timestamp, the first of them, if the isolation allows it: (timestamp, offset).
    pub(crate) fn find_latest_time(&self, isolation: Isolation) -> Option<(Millis, i64)> {
        let batch = self.latest_batch()?;
        let latest = batch.max_timestamp;
        let mut times = batch.timestamps().into_iter();
        self.allowed(times.find(|(_, time)| *time == latest), isolation)
    }

    /// The first batch with the largest timestamp.
    fn latest_batch(&self) -> Option<&Batch> {
        let latest = self.batches.back()?.latest_so_far;
        let early = |batch: &Batch| batch.latest_so_far < latest;
        let first = self.batches.get(self.batches.partition_point(early))?;
        if first.max_timestamp == latest {
            return Some(first);
        }
        // It was deleted, or compacted away.
        let latest = self.batches.iter().map(|batch| batch.max_timestamp).max()?;
        self.batches
            .iter()
            .find(|batch| batch.max_timestamp == latest)
    }

    fn allowed(&self, found: Option<(i64, Millis)>, isolation: Isolation) -> Option<(Millis, i64)> {
        let (offset, time) = found?;
        (offset < self.end_for(isolation)).then_some((time, offset))
    }
}
