//! What a partition knows of each producer: epoch, the last batches, the open transaction.
//!
//! Invariants: a producer's epoch never goes back; sequences have no gap within an epoch; of each producer the last
//! five batches are remembered, since that many may be in flight and come again; after a restart the last alone. Of a
//! transactional producer nothing overtakes a batch that was refused before the transaction's first one was appended.

use std::collections::{BTreeMap, HashMap, VecDeque};

use kafka_protocol::ResponseError;

use super::MARKER_BYTES;
use super::batch::{Batch, Marker};
use crate::clock::Millis;
use crate::transactions::ClientVersion;

/// As many batches as an idempotent producer may have in flight.
const REMEMBERED: usize = 5;
/// What is remembered of a producer takes at most about so many bytes.
pub(crate) const PRODUCER_BYTES: usize = 320;

#[derive(Debug, Clone, Copy)]
struct Sequenced {
    first: i32,
    last: i32,
    base_offset: i64,
    time: Millis,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Sequenced>,
    transaction_start: Option<i64>,
    last_timestamp: i64,
    /// Of the last marker; -1 if there was none.
    coordinator_epoch: i32,
}

impl Producer {
    /// A plain batch has no place inside the producer's open transaction: it would not be dropped by the abort.
    fn covered(&self, batch: &Batch) -> Result<Verdict, ResponseError> {
        if self.transaction_start.is_some() && !batch.is_transactional() {
            Err(ResponseError::InvalidTxnState)
        } else {
            Ok(Verdict::Append)
        }
    }
}

/// What tools see of a producer that has written to a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActiveProducer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    /// -1 after a marker, before the next batch.
    pub(crate) last_sequence: i32,
    pub(crate) last_timestamp: i64,
    pub(crate) transaction_start: Option<i64>,
    /// Of the coordinator that wrote the last marker; -1 if there was none.
    pub(crate) coordinator_epoch: i32,
}

/// Where a producer that has no batches in the partition may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Anywhere: what it wrote before may have been deleted.
    Anywhere,
    /// At sequence 0: a transaction of version 2 begins a new epoch, so an earlier batch is still under way.
    AtZero,
}

/// The lowest sequence of an epoch that came before anything was appended (`VerificationStateEntry` in Apache Kafka).
#[derive(Debug, Clone, Copy)]
struct Lowest {
    epoch: i16,
    sequence: i32,
    at: Millis,
}

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is in the log already, at this offset; the latest of its records has this time.
    Duplicate {
        base_offset: i64,
        time: Millis,
    },
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
    /// First offset of each open transaction, with its producer.
    open: BTreeMap<i64, i64>,
    /// By producer, of transactional batches that were not appended.
    lowest: HashMap<i64, Lowest>,
}

fn follows(last: i32, next: i32) -> bool {
    if last == i32::MAX {
        next == 0
    } else {
        next == last + 1
    }
}

impl Producers {
    /// Judges a client's batch; nothing is changed (`ProducerAppendInfo` in Apache Kafka).
    pub(crate) fn judge(
        &self,
        batch: &Batch,
        beginning: Beginning,
    ) -> Result<Verdict, ResponseError> {
        if !batch.has_producer() {
            return Ok(Verdict::Append);
        }
        if let Some(seen) = self.seen(batch) {
            let (base_offset, time) = (seen.base_offset, seen.time);
            return Ok(Verdict::Duplicate { base_offset, time });
        }
        self.check_epoch(batch)?;
        let known = self.known.get(&batch.producer_id);
        let lowest = self.lowest.get(&batch.producer_id);
        in_order(lowest.is_none_or(|lowest| batch.base_sequence <= lowest.sequence))?;
        let Some(producer) = known else {
            return in_order(beginning == Beginning::Anywhere || batch.base_sequence == 0);
        };
        if batch.producer_epoch > producer.epoch {
            in_order(batch.base_sequence == 0)?;
            return producer.covered(batch);
        }
        let last = producer.recent.back().map_or(-1, |seen| seen.last);
        in_order(follows(last, batch.base_sequence))?;
        producer.covered(batch)
    }

    /// Whether the batch's epoch is not known to be over.
    pub(crate) fn check_epoch(&self, batch: &Batch) -> Result<(), ResponseError> {
        let known = self.known.get(&batch.producer_id);
        if known.is_some_and(|producer| batch.producer_epoch < producer.epoch) {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        Ok(())
    }

    /// The same batch, if it was appended and is remembered.
    fn seen(&self, batch: &Batch) -> Option<&Sequenced> {
        let same = |seen: &&Sequenced| {
            seen.first == batch.base_sequence && seen.last == batch.last_sequence()
        };
        let known = self.known.get(&batch.producer_id);
        let current = known.filter(|producer| producer.epoch == batch.producer_epoch);
        current.and_then(|producer| producer.recent.iter().find(same))
    }

    /// Whether the batch was appended before, so that it would leave nothing more.
    pub(crate) fn is_duplicate(&self, batch: &Batch) -> bool {
        batch.has_producer() && self.seen(batch).is_some()
    }

    /// A transactional batch has come, which may yet be refused.
    pub(crate) fn coming(&mut self, batch: &Batch, now: Millis) {
        let known = self.known.get(&batch.producer_id);
        let has_begun = known.is_some_and(|one| {
            one.transaction_start.is_some() && one.epoch == batch.producer_epoch
        });
        if has_begun {
            return;
        }
        let (epoch, sequence) = (batch.producer_epoch, batch.base_sequence);
        let new = Lowest {
            epoch,
            sequence,
            at: now,
        };
        let lowest = self.lowest.entry(batch.producer_id).or_insert(new);
        if epoch > lowest.epoch || (epoch == lowest.epoch && sequence < lowest.sequence) {
            (lowest.epoch, lowest.sequence) = (epoch, sequence);
        }
    }

    /// Judges a marker that somebody else than the coordinator has sent (`ProducerAppendInfo.appendEndTxnMarker`).
    pub(crate) fn judge_marker(
        &self,
        marker: Marker,
        version: ClientVersion,
    ) -> Result<(), ResponseError> {
        let Some(producer) = self.known.get(&marker.producer_id) else {
            return Ok(());
        };
        let is_current = marker.producer_epoch == producer.epoch;
        let is_raised = marker.producer_epoch > producer.epoch;
        // An end of version 2 raises the epoch; with the same one it repeats an end.
        let repeats = producer.transaction_start.is_none() || marker.producer_epoch == i16::MAX;
        if !(is_raised || is_current && (version == ClientVersion::V1 || repeats)) {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if marker.coordinator_epoch < producer.coordinator_epoch {
            return Err(ResponseError::TransactionCoordinatorFenced);
        }
        Ok(())
    }

    /// Remembers a batch that was appended.
    pub(crate) fn appended(&mut self, batch: &Batch) {
        if !batch.has_producer() {
            return;
        }
        let producer = self.producer(batch.producer_id, batch.producer_epoch);
        if producer.recent.len() == REMEMBERED {
            producer.recent.pop_front();
        }
        producer.last_timestamp = batch.max_timestamp;
        let base_offset = batch.base_offset;
        producer.recent.push_back(Sequenced {
            first: batch.base_sequence,
            last: batch.last_sequence(),
            base_offset,
            time: batch.max_timestamp,
        });
        if batch.is_transactional() {
            if producer.transaction_start.is_none() {
                producer.transaction_start = Some(base_offset);
                self.open.insert(base_offset, batch.producer_id);
            }
            self.lowest.remove(&batch.producer_id);
        }
    }

    /// Ends the producer's transaction and gives the offset at which it had begun, if it wrote anything.
    pub(crate) fn ended(&mut self, marker: Marker, now: Millis) -> Option<i64> {
        let producer = self.producer(marker.producer_id, marker.producer_epoch);
        producer.last_timestamp = now;
        producer.coordinator_epoch = marker.coordinator_epoch;
        let start = producer.transaction_start.take()?;
        self.open.remove(&start);
        Some(start)
    }

    /// Forgets the producers whose last record, by its own time, is as old as `until` or older; not those that have a
    /// transaction open (`ProducerStateManager.removeExpiredProducers` in Apache Kafka).
    pub(crate) fn expire(&mut self, until: Millis) {
        self.known.retain(|_, producer| {
            producer.transaction_start.is_some() || producer.last_timestamp > until
        });
        self.lowest.retain(|_, lowest| lowest.at > until);
    }

    /// The broker was restarted. Apache Kafka's snapshot has of each producer its last batch alone, and nothing of what was
    /// refused (`ProducerStateManager.writeSnapshot`).
    pub(crate) fn restarted(&mut self) {
        self.lowest.clear();
        for producer in self.known.values_mut() {
            let earlier = producer.recent.len().saturating_sub(1);
            producer.recent.drain(..earlier);
        }
    }

    /// Every producer that is known, by its id.
    pub(crate) fn active(&self) -> Vec<ActiveProducer> {
        let active = self.known.iter().map(|(id, producer)| ActiveProducer {
            id: *id,
            epoch: producer.epoch,
            last_sequence: producer.recent.back().map_or(-1, |seen| seen.last),
            last_timestamp: producer.last_timestamp,
            transaction_start: producer.transaction_start,
            coordinator_epoch: producer.coordinator_epoch,
        });
        let mut active: Vec<_> = active.collect();
        active.sort_unstable_by_key(|producer| producer.id);
        active
    }

    /// The memory that is taken, the markers included that open transactions will leave.
    pub(crate) fn footprint(&self) -> usize {
        let unknown = self.lowest.keys().filter(|id| !self.known.contains_key(id));
        let producers = self.known.len() + unknown.count();
        producers * PRODUCER_BYTES + self.open.len() * MARKER_BYTES
    }

    /// First offset of the earliest open transaction.
    pub(crate) fn first_unstable(&self) -> Option<i64> {
        self.open.keys().next().copied()
    }

    fn producer(&mut self, id: i64, epoch: i16) -> &mut Producer {
        let new = || Producer {
            epoch,
            recent: VecDeque::new(),
            transaction_start: None,
            last_timestamp: -1,
            coordinator_epoch: -1,
        };
        let producer = self.known.entry(id).or_insert_with(new);
        if epoch > producer.epoch {
            producer.epoch = epoch;
            producer.recent.clear();
        }
        producer
    }
}

fn in_order(yes: bool) -> Result<Verdict, ResponseError> {
    if yes {
        Ok(Verdict::Append)
    } else {
        Err(ResponseError::OutOfOrderSequenceNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Outcome;
    use super::super::batch::tests::{batch, from_client};
    use super::*;

    fn commit(id: i64, epoch: i16) -> Marker {
        Marker::of(id, epoch, Outcome::Commit)
    }

    fn sent(epoch: i16, sequence: i32, count: u8) -> Batch {
        from_client(&batch((1, epoch), sequence, count, true, 0))
    }

    fn append(producers: &mut Producers, batch: Batch, offset: i64) {
        assert_eq!(
            producers.judge(&batch, Beginning::Anywhere),
            Ok(Verdict::Append)
        );
        producers.appended(&batch.at(offset, 0));
    }

    #[test]
    fn the_last_five_batches_are_recognised_again() {
        let mut producers = Producers::default();
        for index in 0..6 {
            append(&mut producers, sent(0, index * 2, 2), i64::from(index) * 2);
        }
        for index in 1..6 {
            let offset = i64::from(index) * 2;
            assert_eq!(
                producers.judge(&sent(0, index * 2, 2), Beginning::Anywhere),
                Ok(Verdict::Duplicate {
                    base_offset: offset,
                    time: 1,
                })
            );
        }
        assert_eq!(
            producers.judge(&sent(0, 0, 2), Beginning::Anywhere),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
    }

    #[test]
    fn gaps_and_old_epochs_are_refused() {
        let mut producers = Producers::default();
        append(&mut producers, sent(4, 100, 1), 0);
        assert_eq!(
            producers.judge(&sent(4, 102, 1), Beginning::Anywhere),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        assert_eq!(
            producers.judge(&sent(3, 101, 1), Beginning::Anywhere),
            Err(ResponseError::InvalidProducerEpoch)
        );
        assert_eq!(
            producers.judge(&sent(5, 101, 1), Beginning::Anywhere),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        append(&mut producers, sent(5, 0, 1), 1);
        assert_eq!(
            producers.judge(&sent(4, 101, 1), Beginning::Anywhere),
            Err(ResponseError::InvalidProducerEpoch)
        );
    }

    #[test]
    fn the_first_unstable_offset_is_that_of_the_earliest_open_transaction() {
        let mut producers = Producers::default();
        let other = |offset| from_client(&batch((2, 0), 0, 1, true, 0)).at(offset, 0);
        append(&mut producers, sent(0, 0, 1), 10);
        append(&mut producers, other(11), 11);
        assert_eq!(producers.first_unstable(), Some(10));
        assert_eq!(producers.ended(commit(1, 0), 0), Some(10));
        assert_eq!(producers.first_unstable(), Some(11));
        assert_eq!(producers.ended(commit(2, 1), 0), Some(11));
        assert_eq!(producers.first_unstable(), None);
        assert_eq!(producers.ended(commit(2, 1), 0), None);
    }

    #[test]
    fn a_marker_may_not_be_older_than_what_is_known() {
        let mut producers = Producers::default();
        let of = |epoch, coordinator_epoch| Marker {
            coordinator_epoch,
            ..Marker::of(1, epoch, Outcome::Commit)
        };
        let old_epoch = Err(ResponseError::InvalidProducerEpoch);
        let (v1, v2) = (ClientVersion::V1, ClientVersion::V2);
        assert_eq!(producers.judge_marker(of(0, -1), v2), Ok(()));
        append(&mut producers, sent(4, 0, 1), 0);
        assert_eq!(producers.judge_marker(of(3, 0), v1), old_epoch);
        assert_eq!(producers.judge_marker(of(4, 0), v1), Ok(()));
        assert_eq!(producers.judge_marker(of(4, 0), v2), old_epoch);
        assert_eq!(producers.judge_marker(of(5, 0), v2), Ok(()));
        assert_eq!(producers.ended(of(5, 2), 0), Some(0));
        assert_eq!(producers.judge_marker(of(5, 2), v2), Ok(()), "repeated");
        let fenced = Err(ResponseError::TransactionCoordinatorFenced);
        assert_eq!(producers.judge_marker(of(5, 1), v1), fenced);
    }

    #[test]
    fn old_producers_are_forgotten_unless_their_transaction_is_open() {
        let mut producers = Producers::default();
        let plain = from_client(&batch((2, 0), 0, 1, false, 100));
        append(&mut producers, plain, 0);
        append(&mut producers, sent(0, 0, 1), 1);
        producers.expire(99);
        assert_eq!(producers.active().len(), 2);
        producers.expire(100);
        let ids: Vec<_> = producers.active().iter().map(|one| one.id).collect();
        assert_eq!(ids, [1], "the one with a transaction");
        assert_eq!(producers.ended(commit(1, 0), 200), Some(1));
        producers.expire(199);
        assert_eq!(producers.active().len(), 1);
        producers.expire(200);
        assert!(producers.active().is_empty());
        // Forgotten, it may begin anywhere.
        assert_eq!(
            producers.judge(&sent(0, 70, 1), Beginning::Anywhere),
            Ok(Verdict::Append)
        );
    }
}
