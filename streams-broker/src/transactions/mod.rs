//! The transaction coordinator: who owns a transactional id, what its transaction covers, how it ends.
//!
//! Invariants:
//! - Of a transactional id there is one producer id, and only the holder of its latest epoch may do anything.
//! - An outcome, once decided, doesn't change; its markers are written to every registered partition, also where
//!   nothing was written.
//! - Until the markers are written the id answers CONCURRENT_TRANSACTIONS.
//! - An abort that the producer didn't ask for (timeout, a new producer of the same id) raises the epoch first, so its
//!   markers fence the old producer in the logs as well.
//!
//! This file decides; [`crate::broker::Broker`] carries out what it hands back ([`Ending`]).

mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;

pub(crate) use self::state::State;
use crate::clock::Millis;
use crate::log::batch::Outcome;

/// A producer's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerIdentity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// A producer that has none yet.
pub(crate) const NO_PRODUCER: ProducerIdentity = ProducerIdentity { id: -1, epoch: -1 };

/// Partitions by topic.
pub(crate) type Partitions = BTreeMap<String, BTreeSet<i32>>;

/// One transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) producer: ProducerIdentity,
    /// The epoch before the last bump that the producer asked for, to recognise a repeated request.
    last_epoch: i16,
    pub(crate) state: State,
    pub(crate) timeout: Millis,
    pub(crate) started: Millis,
    pub(crate) partitions: Partitions,
    pub(crate) groups: BTreeSet<String>,
}

impl Transaction {
    fn become_state(&mut self, next: State) -> Result<(), ResponseError> {
        if !self.state.may_become(next) {
            return Err(ResponseError::InvalidTxnState);
        }
        self.state = next;
        Ok(())
    }

    fn check_owner(&self, producer: ProducerIdentity) -> Result<(), ResponseError> {
        if self.producer.id != producer.id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if self.producer.epoch != producer.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    /// The transaction goes on, or begins.
    fn resume(&mut self, now: Millis) -> Result<(), ResponseError> {
        if self.state.is_preparing() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        if self.state != State::Ongoing {
            self.started = now;
        }
        self.become_state(State::Ongoing)
    }

    /// Decides the outcome and says what is to be written.
    fn decide(&mut self, id: &str, outcome: Outcome) -> Result<Ending, ResponseError> {
        self.become_state(State::preparing(outcome))?;
        Ok(Ending {
            transactional_id: id.to_owned(),
            producer: self.producer,
            outcome,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        })
    }

    /// Aborts on the broker's own account: the epoch is raised, so the producer is fenced.
    fn abort_and_fence(&mut self, id: &str) -> Result<Ending, ResponseError> {
        self.producer.epoch = self.producer.epoch.saturating_add(1);
        self.last_epoch = -1;
        self.decide(id, Outcome::Abort)
    }

    /// The next epoch for a producer that initialises itself.
    fn bump(
        &mut self,
        expected: ProducerIdentity,
        fresh_id: &mut i64,
    ) -> Result<(), ResponseError> {
        let current = self.producer.epoch;
        if expected.epoch >= 0 && expected.epoch != current {
            // A repeated request whose answer was lost gets the same answer.
            return if expected.epoch == self.last_epoch {
                Ok(())
            } else {
                Err(ResponseError::ProducerFenced)
            };
        }
        self.last_epoch = if expected.epoch >= 0 { current } else { -1 };
        // The last epoch but one is kept for fencing.
        if current >= i16::MAX - 1 {
            self.producer = ProducerIdentity {
                id: take(fresh_id),
                epoch: 0,
            };
            self.last_epoch = -1;
        } else {
            self.producer.epoch = current + 1;
        }
        Ok(())
    }
}

/// A decided transaction: markers and offsets that are to be written, before [`Transactions::completed`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) transactional_id: String,
    pub(crate) producer: ProducerIdentity,
    pub(crate) outcome: Outcome,
    pub(crate) partitions: Partitions,
    pub(crate) groups: BTreeSet<String>,
}

/// The answer to InitProducerId.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Initialised {
    Ready(ProducerIdentity),
    /// A transaction was open: it is aborted first, and the producer asks again.
    AbortFirst(Ending),
}

/// All transactional ids, and the producer ids given out.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    next_producer_id: i64,
}

fn take(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

impl Transactions {
    /// A producer id for an idempotent producer without transactions.
    pub(crate) fn fresh_producer(&mut self) -> ProducerIdentity {
        ProducerIdentity {
            id: take(&mut self.next_producer_id),
            epoch: 0,
        }
    }

    /// InitProducerId with a transactional id.
    pub(crate) fn initialise(
        &mut self,
        id: &str,
        timeout: Millis,
        expected: ProducerIdentity,
    ) -> Result<Initialised, ResponseError> {
        let Some(transaction) = self.by_id.get_mut(id) else {
            let producer = self.fresh_producer();
            self.insert(id, producer, timeout);
            return Ok(Initialised::Ready(producer));
        };
        if expected.id >= 0 && expected.id != transaction.producer.id {
            return Err(ResponseError::ProducerFenced);
        }
        match transaction.state {
            State::PrepareCommit | State::PrepareAbort => {
                Err(ResponseError::ConcurrentTransactions)
            }
            State::Ongoing => {
                if expected.epoch >= 0 && expected.epoch != transaction.producer.epoch {
                    return Err(ResponseError::ProducerFenced);
                }
                transaction.abort_and_fence(id).map(Initialised::AbortFirst)
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                transaction.bump(expected, &mut self.next_producer_id)?;
                transaction.become_state(State::Empty)?;
                transaction.timeout = timeout;
                Ok(Initialised::Ready(transaction.producer))
            }
        }
    }

    fn insert(&mut self, id: &str, producer: ProducerIdentity, timeout: Millis) {
        let transaction = Transaction {
            producer,
            last_epoch: -1,
            state: State::Empty,
            timeout,
            started: 0,
            partitions: Partitions::new(),
            groups: BTreeSet::new(),
        };
        self.by_id.insert(id.to_owned(), transaction);
    }

    fn owned(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
    ) -> Result<&mut Transaction, ResponseError> {
        let transaction = self
            .by_id
            .get_mut(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        transaction.check_owner(producer)?;
        Ok(transaction)
    }

    /// AddPartitionsToTxn: registers partitions, which the caller has seen to exist.
    pub(crate) fn add_partitions(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        partitions: &Partitions,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(id, producer)?;
        transaction.resume(now)?;
        for (topic, added) in partitions {
            transaction
                .partitions
                .entry(topic.clone())
                .or_default()
                .extend(added);
        }
        Ok(())
    }

    /// AddOffsetsToTxn: registers the offsets of a group.
    pub(crate) fn add_group(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        group: &str,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(id, producer)?;
        transaction.resume(now)?;
        transaction.groups.insert(group.to_owned());
        Ok(())
    }

    /// EndTxn: decides the outcome. `None`: it has ended in this way already.
    pub(crate) fn end(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        outcome: Outcome,
    ) -> Result<Option<Ending>, ResponseError> {
        let transaction = self.owned(id, producer)?;
        let state = transaction.state;
        if state == State::Ongoing {
            return transaction.decide(id, outcome).map(Some);
        }
        if state == State::preparing(outcome) {
            return Err(ResponseError::ConcurrentTransactions);
        }
        if state == State::complete(outcome) {
            Ok(None)
        } else {
            Err(ResponseError::InvalidTxnState)
        }
    }

    /// The markers of an ending are written.
    pub(crate) fn completed(&mut self, ending: &Ending) {
        if let Some(transaction) = self.by_id.get_mut(&ending.transactional_id) {
            // The state is the one that `decide` left, since everything else waits for it.
            let _ = transaction.become_state(State::complete(ending.outcome));
        }
    }

    /// Whether a producer may write transactional records to a partition.
    pub(crate) fn check_produce(
        &self,
        id: &str,
        producer: ProducerIdentity,
        topic: &str,
        partition: i32,
    ) -> Result<(), ResponseError> {
        let transaction = self.registered_owner(id, producer)?;
        let registered = transaction
            .partitions
            .get(topic)
            .is_some_and(|set| set.contains(&partition));
        if registered {
            Ok(())
        } else {
            Err(ResponseError::InvalidTxnState)
        }
    }

    /// Whether a producer may write offsets of a group.
    pub(crate) fn check_offsets(
        &self,
        id: &str,
        producer: ProducerIdentity,
        group: &str,
    ) -> Result<(), ResponseError> {
        let transaction = self.registered_owner(id, producer)?;
        if transaction.groups.contains(group) {
            Ok(())
        } else {
            Err(ResponseError::InvalidTxnState)
        }
    }

    /// As [`Transaction::check_owner`], with the code that partitions and groups answer to a wrong epoch.
    fn registered_owner(
        &self,
        id: &str,
        producer: ProducerIdentity,
    ) -> Result<&Transaction, ResponseError> {
        let transaction = self
            .by_id
            .get(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        transaction
            .check_owner(producer)
            .map_err(|error| match error {
                ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
                other => other,
            })?;
        Ok(transaction)
    }

    /// Aborts every transaction that is older than its timeout.
    pub(crate) fn time_out(&mut self, now: Millis) -> Vec<Ending> {
        let late = |transaction: &Transaction| {
            transaction.state == State::Ongoing
                && transaction.started.saturating_add(transaction.timeout) <= now
        };
        let expired = self
            .by_id
            .iter_mut()
            .filter(|(_, transaction)| late(transaction));
        expired
            .filter_map(|(id, transaction)| transaction.abort_and_fence(id).ok())
            .collect()
    }

    /// Whether any transaction is open, so that the scan for late ones is needed.
    pub(crate) fn any_ongoing(&self) -> bool {
        self.by_id
            .values()
            .any(|transaction| transaction.state == State::Ongoing)
    }

    /// Forgets a deleted topic: no markers for it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.by_id.values_mut().for_each(|transaction| {
            transaction.partitions.remove(topic);
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.by_id
            .iter()
            .map(|(id, transaction)| (id.as_str(), transaction))
    }
}
