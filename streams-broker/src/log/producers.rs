//! What a partition knows of each producer: epoch, the last batches, the open transaction.
//!
//! Invariants: a producer's epoch never goes back; sequences have no gap within an epoch; of each producer the last
//! five batches are remembered, since that many may be in flight and come again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use kafka_protocol::ResponseError;

use super::batch::Batch;

/// As many batches as an idempotent producer may have in flight.
const REMEMBERED: usize = 5;

#[derive(Debug, Clone, Copy)]
struct Sequenced {
    first: i32,
    last: i32,
    base_offset: i64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Sequenced>,
    transaction_start: Option<i64>,
}

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is in the log already, at this offset.
    Duplicate(i64),
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
    /// First offset of each open transaction, with its producer.
    open: BTreeMap<i64, i64>,
}

fn follows(last: i32, next: i32) -> bool {
    if last == i32::MAX {
        next == 0
    } else {
        next == last + 1
    }
}

impl Producers {
    /// Judges a client's batch; nothing is changed.
    pub(crate) fn judge(&self, batch: &Batch) -> Result<Verdict, ResponseError> {
        if !batch.has_producer() {
            return Ok(Verdict::Append);
        }
        // A producer that is not known may start anywhere: what it wrote before may have been deleted.
        let Some(producer) = self.known.get(&batch.producer_id) else {
            return Ok(Verdict::Append);
        };
        if batch.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if batch.producer_epoch > producer.epoch {
            return in_order(batch.base_sequence == 0);
        }
        let same = |seen: &&Sequenced| {
            seen.first == batch.base_sequence && seen.last == batch.last_sequence()
        };
        if let Some(seen) = producer.recent.iter().find(same) {
            return Ok(Verdict::Duplicate(seen.base_offset));
        }
        let last = producer.recent.back().map_or(-1, |seen| seen.last);
        in_order(follows(last, batch.base_sequence))
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
        let base_offset = batch.base_offset;
        producer.recent.push_back(Sequenced {
            first: batch.base_sequence,
            last: batch.last_sequence(),
            base_offset,
        });
        if batch.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(base_offset);
            self.open.insert(base_offset, batch.producer_id);
        }
    }

    /// Ends the producer's transaction and gives the offset at which it had begun, if it wrote anything.
    pub(crate) fn ended(&mut self, producer_id: i64, epoch: i16) -> Option<i64> {
        let start = self.producer(producer_id, epoch).transaction_start.take()?;
        self.open.remove(&start);
        Some(start)
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
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::batch::tests::batch;
    use super::*;

    fn sent(epoch: i16, sequence: i32, count: u8) -> Batch {
        Batch::from_client(&batch((1, epoch), sequence, count, true, 0)).unwrap()
    }

    fn append(producers: &mut Producers, batch: Batch, offset: i64) {
        assert_eq!(producers.judge(&batch), Ok(Verdict::Append));
        producers.appended(&batch.at(offset));
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
                producers.judge(&sent(0, index * 2, 2)),
                Ok(Verdict::Duplicate(offset))
            );
        }
        assert_eq!(
            producers.judge(&sent(0, 0, 2)),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
    }

    #[test]
    fn gaps_and_old_epochs_are_refused() {
        let mut producers = Producers::default();
        append(&mut producers, sent(4, 100, 1), 0);
        assert_eq!(
            producers.judge(&sent(4, 102, 1)),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        assert_eq!(
            producers.judge(&sent(3, 101, 1)),
            Err(ResponseError::InvalidProducerEpoch)
        );
        assert_eq!(
            producers.judge(&sent(5, 101, 1)),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        append(&mut producers, sent(5, 0, 1), 1);
        assert_eq!(
            producers.judge(&sent(4, 101, 1)),
            Err(ResponseError::InvalidProducerEpoch)
        );
    }

    #[test]
    fn the_first_unstable_offset_is_that_of_the_earliest_open_transaction() {
        let mut producers = Producers::default();
        let other = |offset| {
            Batch::from_client(&batch((2, 0), 0, 1, true, 0))
                .unwrap()
                .at(offset)
        };
        append(&mut producers, sent(0, 0, 1), 10);
        append(&mut producers, other(11), 11);
        assert_eq!(producers.first_unstable(), Some(10));
        assert_eq!(producers.ended(1, 0), Some(10));
        assert_eq!(producers.first_unstable(), Some(11));
        assert_eq!(producers.ended(2, 1), Some(11));
        assert_eq!(producers.first_unstable(), None);
        assert_eq!(producers.ended(2, 1), None);
    }
}
