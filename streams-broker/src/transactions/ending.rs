//! How a transaction ends: EndTxn as clients of either version send it.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;

use super::state::State;
use super::transaction::{LAST_EPOCH, Transaction, footprint};
use super::{Partitions, ProducerIdentity, take};
use crate::clock::Millis;
use crate::log::batch::Outcome;

/// A decided transaction: markers and offsets that are to be written, before [`Transactions::completed`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) transactional_id: String,
    pub(crate) producer: ProducerIdentity,
    pub(crate) outcome: Outcome,
    pub(crate) partitions: Partitions,
    pub(crate) groups: BTreeSet<String>,
}

impl Ending {
    /// The memory that it takes, about.
    pub(crate) fn footprint(&self) -> usize {
        self.transactional_id.len() + footprint(&self.partitions, &self.groups)
    }
}

/// The answer to EndTxn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What is to be carried out; `None` if that has been done already.
    pub(crate) ending: Option<Ending>,
    /// The identity for the next transaction.
    pub(crate) producer: ProducerIdentity,
}

impl Transaction {
    /// Of a client of version 1: the epoch stays, and an end may be repeated.
    pub(super) fn end(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        outcome: Outcome,
    ) -> Result<Ended, ResponseError> {
        self.check_owner(producer)?;
        let ending = match self.state {
            State::Ongoing => Some(self.decide(id, outcome)?),
            state if state == State::preparing(outcome) => {
                return Err(ResponseError::ConcurrentTransactions);
            }
            state if state == State::complete(outcome) => None,
            _ => return Err(ResponseError::InvalidTxnState),
        };
        Ok(Ended {
            ending,
            producer: self.producer,
        })
    }

    /// Of a client of version 2: every end raises the epoch, so the same epoch again is another end, and the epoch before
    /// is a repeated one (`TransactionCoordinator.endTransaction`).
    pub(super) fn end_and_bump(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        outcome: Outcome,
        now: Millis,
        fresh_id: &mut i64,
    ) -> Result<Ended, ResponseError> {
        let repeated = self.is_repeated(producer);
        if producer.id != self.producer.id && !repeated {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        let current = producer == self.producer;
        let known = match self.state {
            State::Empty | State::Ongoing => current,
            State::PrepareCommit | State::PrepareAbort => repeated,
            State::CompleteCommit | State::CompleteAbort => current || repeated,
        };
        if !known {
            return Err(ResponseError::ProducerFenced);
        }
        if repeated {
            return self.repeat(outcome);
        }
        let nothing_open = self.state != State::Ongoing;
        if nothing_open && outcome == Outcome::Commit {
            return Err(ResponseError::InvalidTxnState);
        }
        if nothing_open {
            self.started = now;
        }
        let used_up = self.producer.epoch >= LAST_EPOCH;
        self.next_id = used_up.then(|| take(fresh_id));
        self.last_epoch = self.producer.epoch;
        self.producer.epoch = self.producer.epoch.saturating_add(1);
        let ending = self.decide(id, outcome)?;
        Ok(Ended {
            ending: Some(ending),
            producer: self.next_identity(),
        })
    }

    fn is_repeated(&self, producer: ProducerIdentity) -> bool {
        let before = producer.id == self.producer.id
            && producer.epoch.checked_add(1) == Some(self.producer.epoch);
        before || (self.former == Some(producer) && self.producer.epoch == 0)
    }

    fn repeat(&self, outcome: Outcome) -> Result<Ended, ResponseError> {
        if self.state == State::complete(outcome) {
            Ok(Ended {
                ending: None,
                producer: self.producer,
            })
        } else if self.state == State::preparing(outcome) {
            Err(ResponseError::ConcurrentTransactions)
        } else {
            Err(ResponseError::InvalidTxnState)
        }
    }

    /// The identity once the markers are written.
    fn next_identity(&self) -> ProducerIdentity {
        match self.next_id {
            Some(id) => ProducerIdentity { id, epoch: 0 },
            None => self.producer,
        }
    }

    /// The markers are written: a producer id whose epochs are used up is replaced.
    pub(super) fn rotate(&mut self) {
        if self.next_id.is_some() {
            self.former = Some(ProducerIdentity {
                epoch: LAST_EPOCH,
                ..self.producer
            });
            self.producer = self.next_identity();
            self.next_id = None;
        }
    }
}
