//! The log of one partition: batches in offset order, what producers may append, what readers may see.
//!
//! Invariants:
//! - Batches are kept as bytes and never overlap; `start <= base offset of the first <= end`, and an offset is found by
//!   binary search. There may be holes (compaction, deletion), never a second record for an offset.
//! - The last stable offset is the first offset of the earliest open transaction, or the end. It never goes back.
//! - Each aborted transaction that wrote something is indexed by its first offset and its marker's offset, so that a
//!   read-committed reader can drop its records.
//! - One broker, no replicas: what is appended is below the high watermark at once.

pub(crate) mod batch;
mod producers;
mod readers;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;

use self::batch::{Batch, Outcome};
use self::producers::{Producers, Verdict};
pub(crate) use self::readers::{Reader, Readers};
use crate::clock::Millis;

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

/// An aborted transaction of one producer in this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    pub(crate) marker_offset: i64,
}

/// How batches are admitted to a topic's partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission {
    pub(crate) max_bytes: usize,
    pub(crate) stamp: bool,
}

/// Where a batch came to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
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
    start: i64,
    end: i64,
    producers: Producers,
    aborted: Vec<Aborted>,
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

    pub(crate) fn last_stable(&self) -> i64 {
        self.producers.first_unstable().unwrap_or(self.end)
    }

    /// The end for readers of this isolation.
    pub(crate) fn end_for(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.end,
            Isolation::ReadCommitted => self.last_stable(),
        }
    }

    /// Appends a client's batch, or says at which offset it is already.
    pub(crate) fn append(
        &mut self,
        batch: Batch,
        admission: Admission,
        now: Millis,
    ) -> Result<Appended, ResponseError> {
        if batch.bytes.len() > admission.max_bytes {
            return Err(ResponseError::MessageTooLarge);
        }
        if let Verdict::Duplicate(base_offset) = self.producers.judge(&batch)? {
            return Ok(Appended {
                base_offset,
                append_time: None,
            });
        }
        let batch = if admission.stamp {
            batch.stamped(now)
        } else {
            batch
        };
        let append_time = admission.stamp.then_some(now);
        let batch = batch.at(self.end);
        let base_offset = batch.base_offset;
        self.producers.appended(&batch);
        self.push(batch);
        Ok(Appended {
            base_offset,
            append_time,
        })
    }

    /// Ends the producer's transaction with a control batch and gives its offset.
    pub(crate) fn append_marker(
        &mut self,
        producer_id: i64,
        epoch: i16,
        outcome: Outcome,
        now: Millis,
    ) -> i64 {
        let marker_offset = self.end;
        let begun = self.producers.ended(producer_id, epoch);
        if let (Some(first_offset), Outcome::Abort) = (begun, outcome) {
            self.aborted.push(Aborted {
                producer_id,
                first_offset,
                marker_offset,
            });
        }
        self.push(Batch::marker(producer_id, epoch, outcome, now).at(marker_offset));
        marker_offset
    }

    fn push(&mut self, batch: Batch) {
        self.end = batch.last_offset().saturating_add(1);
        self.batches.push_back(batch);
        self.readers.wake();
    }

    /// Reads from `offset` on, whole batches, up to what the isolation allows.
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
            if batch.base_offset >= bound || !(fits || forced) {
                break;
            }
            read.size += batch.bytes.len();
            read.batches.push(batch.bytes.clone());
            next = batch.last_offset().saturating_add(1);
        }
        if isolation == Isolation::ReadCommitted {
            read.aborted = Some(self.aborted_between(offset, next));
        }
        Ok(read)
    }

    /// Aborted transactions with records in `from..to`, by first offset. Markers come in offset order in the index.
    fn aborted_between(&self, from: i64, to: i64) -> Vec<Aborted> {
        let after = self
            .aborted
            .partition_point(|aborted| aborted.marker_offset < from);
        let later = self.aborted.get(after..).unwrap_or_default();
        let mut found: Vec<_> = later
            .iter()
            .filter(|aborted| aborted.first_offset < to)
            .copied()
            .collect();
        found.sort_by_key(|aborted| aborted.first_offset);
        found
    }

    /// Deletes what lies before `offset` and gives the new start. Whole batches go; part of a batch is only hidden.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<i64, ResponseError> {
        if offset > self.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        self.start = self.start.max(offset);
        while self
            .batches
            .front()
            .is_some_and(|batch| batch.last_offset() < self.start)
        {
            self.batches.pop_front();
        }
        let start = self.start;
        self.aborted
            .retain(|aborted| aborted.marker_offset >= start);
        Ok(self.start)
    }

    /// The first record at or after a timestamp that the isolation allows: (timestamp, offset).
    pub(crate) fn find_by_time(
        &self,
        timestamp: Millis,
        isolation: Isolation,
    ) -> Option<(Millis, i64)> {
        let bound = self.end_for(isolation);
        let late = |batch: &&Batch| !batch.is_control() && batch.max_timestamp >= timestamp;
        let records = self.batches.iter().filter(late).flat_map(Batch::timestamps);
        let right = |&(offset, time): &(i64, i64)| {
            time >= timestamp && offset >= self.start && offset < bound
        };
        records
            .into_iter()
            .find(right)
            .map(|(offset, time)| (time, offset))
    }

    /// The record with the largest timestamp, the first of them: (timestamp, offset).
    pub(crate) fn find_latest_time(&self) -> Option<(Millis, i64)> {
        let records = self
            .batches
            .iter()
            .filter(|batch| !batch.is_control())
            .flat_map(Batch::timestamps);
        let mut found: Option<(Millis, i64)> = None;
        for (offset, time) in records.filter(|(offset, _)| *offset >= self.start) {
            if found.is_none_or(|(largest, _)| time > largest) {
                found = Some((time, offset));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::batch::tests::batch;
    use super::*;

    const ADMISSION: Admission = Admission {
        max_bytes: 1_000_000,
        stamp: false,
    };
    const ALL: Limit = Limit {
        bytes: usize::MAX,
        at_least_one: true,
    };

    fn client(
        producer_id: i64,
        sequence: i32,
        count: u8,
        transactional: bool,
        timestamp: i64,
    ) -> Batch {
        Batch::from_client(&batch(
            (producer_id, 0),
            sequence,
            count,
            transactional,
            timestamp,
        ))
        .unwrap()
    }

    fn append(log: &mut Log, batch: Batch) -> i64 {
        log.append(batch, ADMISSION, 0).unwrap().base_offset
    }

    fn committed(log: &Log, offset: i64) -> Read {
        log.read(offset, Isolation::ReadCommitted, ALL).unwrap()
    }

    #[test]
    fn reads_start_with_the_batch_that_holds_the_offset() {
        let mut log = Log::default();
        for index in 0..10 {
            append(&mut log, client(-1, -1, 3, false, index));
        }
        let read = log.read(13, Isolation::ReadUncommitted, ALL).unwrap();
        assert_eq!((read.batches.len(), read.aborted), (6, None));
        assert_eq!(
            log.read(30, Isolation::ReadUncommitted, ALL)
                .unwrap()
                .batches
                .len(),
            0
        );
        assert_eq!(
            log.read(31, Isolation::ReadUncommitted, ALL).unwrap_err(),
            ResponseError::OffsetOutOfRange
        );
    }

    #[test]
    fn a_limit_stops_but_never_blocks() {
        let mut log = Log::default();
        append(&mut log, client(-1, -1, 3, false, 0));
        append(&mut log, client(-1, -1, 3, false, 0));
        let one = Limit {
            bytes: 1,
            at_least_one: true,
        };
        assert_eq!(
            log.read(0, Isolation::ReadUncommitted, one)
                .unwrap()
                .batches
                .len(),
            1
        );
        let none = Limit {
            bytes: 1,
            at_least_one: false,
        };
        assert_eq!(
            log.read(0, Isolation::ReadUncommitted, none)
                .unwrap()
                .batches
                .len(),
            0
        );
    }

    #[test]
    fn an_open_transaction_holds_the_last_stable_offset() {
        let mut log = Log::default();
        append(&mut log, client(-1, -1, 2, false, 0));
        append(&mut log, client(1, 0, 2, true, 0));
        append(&mut log, client(-1, -1, 2, false, 0));
        assert_eq!((log.last_stable(), log.end()), (2, 6));
        assert_eq!(committed(&log, 0).batches.len(), 1);
        assert_eq!(log.append_marker(1, 0, Outcome::Commit, 0), 6);
        assert_eq!(log.last_stable(), 7);
        let read = committed(&log, 0);
        assert_eq!((read.batches.len(), read.aborted), (4, Some(vec![])));
    }

    #[test]
    fn aborted_transactions_are_listed_where_they_matter() {
        let mut log = Log::default();
        append(&mut log, client(1, 0, 2, true, 0));
        append(&mut log, client(2, 0, 2, true, 0));
        log.append_marker(2, 0, Outcome::Abort, 0);
        log.append_marker(1, 0, Outcome::Abort, 0);
        append(&mut log, client(-1, -1, 1, false, 0));
        let first = Aborted {
            producer_id: 1,
            first_offset: 0,
            marker_offset: 5,
        };
        let second = Aborted {
            producer_id: 2,
            first_offset: 2,
            marker_offset: 4,
        };
        assert_eq!(committed(&log, 0).aborted, Some(vec![first, second]));
        assert_eq!(committed(&log, 5).aborted, Some(vec![first]));
        assert_eq!(committed(&log, 6).aborted, Some(vec![]));
    }

    #[test]
    fn a_marker_without_records_takes_one_offset_and_aborts_nothing() {
        let mut log = Log::default();
        assert_eq!(log.append_marker(1, 0, Outcome::Abort, 0), 0);
        assert_eq!((log.end(), committed(&log, 0).aborted), (1, Some(vec![])));
    }

    #[test]
    fn a_duplicate_is_answered_with_its_first_offset() {
        let mut log = Log::default();
        assert_eq!(append(&mut log, client(1, 0, 2, false, 0)), 0);
        assert_eq!(append(&mut log, client(1, 2, 2, false, 0)), 2);
        assert_eq!(append(&mut log, client(1, 0, 2, false, 0)), 0);
        assert_eq!(log.end(), 4);
    }

    #[test]
    fn deleting_moves_the_start() {
        let mut log = Log::default();
        append(&mut log, client(-1, -1, 3, false, 0));
        append(&mut log, client(-1, -1, 3, false, 0));
        assert_eq!(log.delete_before(4), Ok(4));
        assert_eq!(
            log.read(3, Isolation::ReadUncommitted, ALL).unwrap_err(),
            ResponseError::OffsetOutOfRange
        );
        assert_eq!(
            log.read(4, Isolation::ReadUncommitted, ALL)
                .unwrap()
                .batches
                .len(),
            1
        );
        assert_eq!(log.delete_before(7), Err(ResponseError::OffsetOutOfRange));
        assert_eq!(log.delete_before(6), Ok(6));
        assert_eq!(log.end(), 6);
    }

    #[test]
    fn records_are_found_by_time() {
        let mut log = Log::default();
        append(&mut log, client(-1, -1, 3, false, 100));
        append(&mut log, client(-1, -1, 3, false, 50));
        append(&mut log, client(-1, -1, 3, false, 200));
        assert_eq!(
            log.find_by_time(101, Isolation::ReadUncommitted),
            Some((101, 1))
        );
        assert_eq!(
            log.find_by_time(150, Isolation::ReadUncommitted),
            Some((200, 6))
        );
        assert_eq!(log.find_by_time(203, Isolation::ReadUncommitted), None);
        assert_eq!(log.find_latest_time(), Some((202, 8)));
    }

    #[test]
    fn too_large_a_batch_is_refused() {
        let admission = Admission {
            max_bytes: 70,
            stamp: false,
        };
        let error = Log::default()
            .append(client(-1, -1, 30, false, 0), admission, 0)
            .unwrap_err();
        assert_eq!(error, ResponseError::MessageTooLarge);
    }
}
