//! The transaction coordinator: who owns a transactional id, what its transaction covers, how it ends.
//!
//! Invariants:
//! - Of a transactional id there is one producer id, and only the holder of its latest epoch may do anything.
//! - An outcome, once decided, doesn't change; its markers are written to every registered partition, also where
//!   nothing was written.
//! - What it covers are names and numbers: a topic that takes the name of a deleted one takes its markers, too.
//! - Until the markers are written the id answers CONCURRENT_TRANSACTIONS.
//! - An abort that the producer didn't ask for (timeout, a new producer of the same id) raises the epoch first, so its
//!   markers fence the old producer in the logs as well.
//!
//! This file decides; [`crate::broker::Broker`] carries out what it hands back ([`Ending`]).

mod ending;
mod state;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;

pub(crate) use self::ending::{Ended, Ending};
pub(crate) use self::state::State;
use self::transaction::NEVER;
pub(crate) use self::transaction::Transaction;
use crate::clock::Millis;
use crate::log::batch::Outcome;
use crate::log::epochs::OF_A_RESTART;

/// A producer's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerIdentity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// A producer that has none yet.
pub(crate) const NO_PRODUCER: ProducerIdentity = ProducerIdentity { id: -1, epoch: -1 };

/// How a client runs its transactions (the feature `transaction.version`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientVersion {
    /// It registers partitions and groups itself, and keeps its epoch.
    V1,
    /// Partitions and groups are registered by what is written, and every end raises the epoch (KIP-890).
    V2,
}

/// Partitions by topic.
pub(crate) type Partitions = BTreeMap<String, BTreeSet<i32>>;

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
    /// The coordinator's: the leader epoch that the partition of its own topic has in Apache Kafka.
    epoch: i32,
}

fn take(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

impl Transactions {
    /// The coordinator's epoch.
    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The only broker was restarted: there is a new coordinator, which knows of each id the last epoch alone
    /// (`TransactionLogValue`).
    pub(crate) fn restarted(&mut self) {
        self.epoch = self.epoch.saturating_add(OF_A_RESTART);
        let transactions = self.by_id.values_mut();
        transactions.for_each(Transaction::forget_last_epoch);
    }

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
        now: Millis,
    ) -> Result<Initialised, ResponseError> {
        let Some(transaction) = self.by_id.get_mut(id) else {
            let producer = self.fresh_producer();
            let transaction = Transaction::new(producer, timeout, now);
            self.by_id.insert(id.to_owned(), transaction);
            return Ok(Initialised::Ready(producer));
        };
        transaction.changed = now;
        if expected.id >= 0 && !transaction.was(expected) {
            return Err(ResponseError::ProducerFenced);
        }
        match transaction.state {
            State::PrepareCommit | State::PrepareAbort => {
                Err(ResponseError::ConcurrentTransactions)
            }
            State::Ongoing => {
                // Whatever its epoch is: that is looked at when it asks again.
                transaction.abort_and_fence(id).map(Initialised::AbortFirst)
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                transaction.bump(expected, &mut self.next_producer_id)?;
                transaction.become_state(State::Empty)?;
                transaction.timeout = timeout;
                transaction.started = NEVER;
                Ok(Initialised::Ready(transaction.producer))
            }
        }
    }

    fn owned(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
    ) -> Result<&mut Transaction, ResponseError> {
        check_id(id)?;
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

    /// EndTxn: decides the outcome, and raises the epoch where the client's version wants it.
    pub(crate) fn end(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        outcome: Outcome,
        version: ClientVersion,
        now: Millis,
    ) -> Result<Ended, ResponseError> {
        check_id(id)?;
        let fresh_id = &mut self.next_producer_id;
        let transaction = self
            .by_id
            .get_mut(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        transaction.changed = now;
        match version {
            ClientVersion::V1 => transaction.end(id, producer, outcome),
            ClientVersion::V2 => transaction.end_and_bump(id, producer, outcome, now, fresh_id),
        }
    }

    /// The markers of an ending are written.
    pub(crate) fn completed(&mut self, ending: &Ending) {
        if let Some(transaction) = self.by_id.get_mut(&ending.transactional_id) {
            // The state is the one that `decide` left, since everything else waits for it.
            let _ = transaction.become_state(State::complete(ending.outcome));
            transaction.rotate();
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

    /// What a client of version 2 writes to a partition registers it, and begins the transaction if none is open.
    pub(crate) fn register_partition(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        topic: &str,
        partition: i32,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(id, producer).map_err(older_epoch)?;
        transaction.resume(now)?;
        match transaction.partitions.get_mut(topic) {
            Some(partitions) => {
                partitions.insert(partition);
            }
            None => {
                let partitions = BTreeSet::from([partition]);
                transaction.partitions.insert(topic.to_owned(), partitions);
            }
        }
        Ok(())
    }

    /// The same of the offsets of a group.
    pub(crate) fn register_group(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        group: &str,
        now: Millis,
    ) -> Result<(), ResponseError> {
        self.add_group(id, producer, group, now)
            .map_err(older_epoch)
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
        transaction.check_owner(producer).map_err(older_epoch)?;
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

    /// Forgets ids without a transaction that nobody has used for so long (`transactional.id.expiration.ms`).
    pub(crate) fn expire(&mut self, unused_for: Millis, now: Millis) {
        self.by_id.retain(|_, transaction| {
            transaction.is_running() || now.saturating_sub(transaction.changed) < unused_for
        });
    }

    /// The memory that all ids take, about.
    pub(crate) fn footprint(&self) -> usize {
        let of_one =
            |(id, transaction): (&String, &Transaction)| id.len() + transaction.footprint();
        self.by_id.iter().map(of_one).sum()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.by_id
            .iter()
            .map(|(id, transaction)| (id.as_str(), transaction))
    }
}

/// A transactional id that is there and says nothing is a mistake.
pub(crate) fn check_id(id: &str) -> Result<(), ResponseError> {
    if id.is_empty() {
        Err(ResponseError::InvalidRequest)
    } else {
        Ok(())
    }
}

/// Partitions and groups answer to a wrong epoch with a code of their own.
fn older_epoch(error: ResponseError) -> ResponseError {
    match error {
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}
