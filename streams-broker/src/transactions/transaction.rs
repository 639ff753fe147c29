//! One transactional id: its identity, what its transaction covers, and the steps that it can take.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;

use super::ending::Ending;
use super::state::State;
use super::{Partitions, ProducerIdentity, take};
use crate::clock::Millis;
use crate::log::batch::Outcome;

/// The last epoch that a producer gets; the one after it is kept for fencing.
pub(super) const LAST_EPOCH: i16 = i16::MAX - 1;

/// When the first transaction of a producer began that has had none.
pub(super) const NEVER: Millis = -1;

/// A transactional id takes about so many bytes, without what its transaction covers.
const ITEM_BYTES: usize = 512;
/// A partition or a name that it covers, without its text.
const ENTRY_BYTES: usize = 64;

/// The memory that partitions and groups of a transaction take, about.
pub(super) fn footprint(partitions: &Partitions, groups: &BTreeSet<String>) -> usize {
    let partitions = partitions.iter();
    let partitions = partitions.map(|(topic, set)| topic.len() + (1 + set.len()) * ENTRY_BYTES);
    let groups = groups.iter().map(|group| group.len() + ENTRY_BYTES);
    partitions.chain(groups).sum()
}

/// One transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) producer: ProducerIdentity,
    /// The epoch before the last bump that was not another producer's doing: who has it gets the bumped one.
    pub(super) last_epoch: i16,
    /// The identity before its epochs were used up, to recognise a repeated request.
    pub(super) former: Option<ProducerIdentity>,
    /// The producer id that takes the place of one whose epochs are used up, once the markers are written.
    pub(super) next_id: Option<i64>,
    /// When anything was asked of it last.
    pub(super) changed: Millis,
    pub(crate) state: State,
    pub(crate) timeout: Millis,
    /// When its last transaction began, until there is a new producer.
    pub(crate) started: Millis,
    pub(crate) partitions: Partitions,
    pub(crate) groups: BTreeSet<String>,
}

impl Transaction {
    pub(super) fn new(producer: ProducerIdentity, timeout: Millis, now: Millis) -> Self {
        Self {
            producer,
            last_epoch: -1,
            former: None,
            next_id: None,
            changed: now,
            state: State::Empty,
            timeout,
            started: NEVER,
            partitions: Partitions::new(),
            groups: BTreeSet::new(),
        }
    }

    /// The memory that is taken, about.
    pub(super) fn footprint(&self) -> usize {
        ITEM_BYTES + footprint(&self.partitions, &self.groups)
    }

    /// Whether something is open or waits for its markers.
    pub(crate) fn is_running(&self) -> bool {
        self.state == State::Ongoing || self.state.is_preparing()
    }

    /// Who has the epoch before is not known any more.
    pub(super) fn forget_last_epoch(&mut self) {
        self.last_epoch = -1;
    }

    /// Whether the identity is this id's, or was until its epochs were used up.
    pub(super) fn was(&self, producer: ProducerIdentity) -> bool {
        self.producer.id == producer.id || self.former == Some(producer)
    }

    pub(super) fn become_state(&mut self, next: State) -> Result<(), ResponseError> {
        if !self.state.may_become(next) {
            return Err(ResponseError::InvalidTxnState);
        }
        self.state = next;
        Ok(())
    }

    pub(super) fn check_owner(&self, producer: ProducerIdentity) -> Result<(), ResponseError> {
        if self.producer.id != producer.id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if self.producer.epoch != producer.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    /// The transaction goes on, or begins.
    pub(super) fn resume(&mut self, now: Millis) -> Result<(), ResponseError> {
        if self.state.is_preparing() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        if self.state != State::Ongoing {
            self.started = now;
        }
        self.changed = now;
        self.become_state(State::Ongoing)
    }

    /// Decides the outcome and says what is to be written.
    pub(super) fn decide(&mut self, id: &str, outcome: Outcome) -> Result<Ending, ResponseError> {
        self.become_state(State::preparing(outcome))?;
        Ok(Ending {
            transactional_id: id.to_owned(),
            producer: self.producer,
            outcome,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        })
    }

    /// Aborts on the broker's own account: the epoch is raised, so what the producer still sends is refused.
    pub(super) fn abort_and_fence(&mut self, id: &str) -> Result<Ending, ResponseError> {
        // The producer itself may go on with the raised epoch (KIP-360), unless its epochs are used up.
        let epoch = self.producer.epoch;
        self.last_epoch = if epoch < LAST_EPOCH { epoch } else { -1 };
        self.producer.epoch = epoch.saturating_add(1);
        self.decide(id, Outcome::Abort)
    }

    /// The next epoch for a producer that initialises itself.
    pub(super) fn bump(
        &mut self,
        expected: ProducerIdentity,
        fresh_id: &mut i64,
    ) -> Result<(), ResponseError> {
        let current = self.producer.epoch;
        if self.former == Some(expected) && current == 0 {
            return Ok(());
        }
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
        if current >= LAST_EPOCH {
            self.former = (expected.epoch >= 0).then_some(self.producer);
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
