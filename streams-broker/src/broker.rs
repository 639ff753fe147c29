//! The broker's whole state in one place; `due` is what happens in it by time. [`crate::shared`] puts it behind one lock.
//!
//! Invariants:
//! - A decided transaction is carried out whole: a marker in every registered partition that there is, offsets made visible
//!   or dropped.
//! - Deadlines are kept in the state; the alarm task sleeps until the earliest one and calls [`Broker::tick`].

mod due;

use std::hash::{BuildHasher as _, RandomState};

use kafka_protocol::ResponseError;

use crate::budget::Budget;
use crate::clock::{Clock, Millis};
use crate::groups::Groups;
use crate::groups::footprint::ENTRY_BYTES;
use crate::log::batch::Marker;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::topics::{Refused, Topic, Topics, is_internal};
use crate::transactions::{Ending, Initialised, ProducerIdentity, Transactions};

/// All fetch sessions together name at most so many times the partitions that there may be.
const SESSION_PARTITIONS: usize = 10;
/// What a coordinator keeps of a request is at most so many times its size, and this much more: an offset of 17 bytes is kept
/// with its topic's name, an id with what belongs to it.
const KEPT_OF_BYTE: usize = 32;
const KEPT_OF_REQUEST: usize = 1_024;

/// Where clients reach this broker.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What Apache Kafka has no setting for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a decided transaction waits for its markers.
    pub(crate) marker_delay: Millis,
    /// The most bytes of records in all partitions together.
    pub(crate) log_bytes: usize,
    /// The most bytes of what the coordinators keep: groups, members, offsets, transactional ids.
    pub(crate) coordinator_bytes: usize,
    /// The most bytes of the requests that are remembered.
    pub(crate) traffic_bytes: usize,
    /// The most partitions of all topics together.
    pub(crate) partitions: usize,
    /// The most bytes that the records of a batch have when they are decompressed.
    pub(crate) decompressed_bytes: usize,
}

#[cfg(any(test, fuzzing))]
impl Limits {
    pub(crate) fn none() -> Self {
        Self {
            marker_delay: 0,
            log_bytes: usize::MAX,
            coordinator_bytes: usize::MAX,
            traffic_bytes: usize::MAX,
            partitions: 100_000,
            decompressed_bytes: 64 << 20,
        }
    }
}

/// The state.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) node: Node,
    /// Another one for each cluster, by which clients know that what they have kept is not of this one.
    pub(crate) cluster_id: String,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    coordinator_memory: Budget,
    decided: Vec<(Millis, Ending)>,
    next_scan: Millis,
    next_retention: Millis,
    next_clean_up: Millis,
    next_compaction: Millis,
    next_expiry: Millis,
    alarm_at: Option<Millis>,
}

fn new_cluster_id() -> String {
    // The standard library's hasher has random keys: unique is all that an id has to be.
    let id = RandomState::new().hash_one(std::process::id());
    format!("embedded-{id:016x}")
}

impl Broker {
    pub(crate) fn new(node: Node, settings: Settings, limits: Limits) -> Self {
        let clock = Clock::new();
        let mut broker = Self {
            node,
            cluster_id: new_cluster_id(),
            settings,
            next_scan: clock.now(),
            next_retention: clock.now(),
            next_clean_up: clock.now(),
            next_compaction: clock.now(),
            next_expiry: clock.now(),
            clock,
            topics: Topics::new(limits.partitions, limits.log_bytes),
            groups: Groups::default(),
            transactions: Transactions::default(),
            sessions: Sessions::new(limits.partitions.saturating_mul(SESSION_PARTITIONS)),
            coordinator_memory: Budget::new(limits.coordinator_bytes),
            limits,
            decided: Vec::new(),
            alarm_at: None,
        };
        broker.schedule();
        broker
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Whether the coordinators have room for what a request of so many bytes may leave with them.
    pub(crate) fn reserve_for(&mut self, request: usize) -> Result<(), ResponseError> {
        let more = request
            .saturating_mul(KEPT_OF_BYTE)
            .saturating_add(KEPT_OF_REQUEST);
        self.reserve_coordinator_bytes(more)
    }

    /// Whether the coordinators have room for the names of all topics that a regular expression may match.
    pub(crate) fn reserve_for_matches(&mut self) -> Result<(), ResponseError> {
        let names = self.topics.iter().map(|(name, _)| ENTRY_BYTES + name.len());
        let more = names.sum();
        self.reserve_coordinator_bytes(more)
    }

    /// Does what makes a group larger or smaller than its request tells: of a topic's name it keeps who has which partition.
    /// So this is counted afterwards, and what comes next is refused.
    pub(crate) fn in_group<T>(&mut self, id: &str, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.groups.members_footprint(id);
        let result = change(self);
        let after = self.groups.members_footprint(id);
        self.coordinator_memory.resized(before, after);
        result
    }

    fn reserve_coordinator_bytes(&mut self, more: usize) -> Result<(), ResponseError> {
        let (groups, transactions, decided) = (&self.groups, &self.transactions, &self.decided);
        let held = || {
            let decided = decided.iter().map(|(_, ending)| ending.footprint());
            groups.footprint() + transactions.footprint() + decided.sum::<usize>()
        };
        if self.coordinator_memory.reserve(more, held) {
            return Ok(());
        }
        let most = self.coordinator_memory.most();
        tracing::warn!(
            "refused: groups, offsets and transactional ids take {most} bytes, the limit: see Builder::max_coordinator_bytes"
        );
        Err(ResponseError::PolicyViolation)
    }

    // ---- topics

    /// Creates a topic because it was asked for, where that is allowed.
    pub(crate) fn create_by_asking(&mut self, name: &str) -> Result<(), Refused> {
        if self.settings.flag("auto.create.topics.enable") && !is_internal(name) {
            self.create_topic(name, -1, Settings::topic())?;
        }
        Ok(())
    }

    /// Creates a topic; -1 partitions is the broker's default number.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        settings: Settings,
    ) -> Result<&Topic, Refused> {
        let partitions = self.partitions_or_default(partitions);
        self.topics
            .create(name, partitions, settings, &self.settings)
    }

    pub(crate) fn partitions_or_default(&self, partitions: i32) -> i32 {
        if partitions == -1 {
            self.settings.int("num.partitions")
        } else {
            partitions
        }
    }

    /// Deletes a topic, and the offsets that groups have in it.
    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<(), Refused> {
        self.topics.delete(name)?;
        self.groups.forget_topic(name);
        Ok(())
    }

    // ---- transactions

    /// InitProducerId with a transactional id; an open transaction is aborted, and the producer asks again.
    pub(crate) fn initialise_producer(
        &mut self,
        id: &str,
        timeout: Millis,
        expected: ProducerIdentity,
    ) -> Result<ProducerIdentity, ResponseError> {
        let now = self.now();
        match self.transactions.initialise(id, timeout, expected, now)? {
            Initialised::Ready(producer) => Ok(producer),
            Initialised::AbortFirst(ending) => {
                self.decide(ending);
                Err(ResponseError::ConcurrentTransactions)
            }
        }
    }

    /// Carries out a decided transaction, at once or after the marker delay.
    pub(crate) fn decide(&mut self, ending: Ending) {
        if self.limits.marker_delay == 0 {
            return self.carry_out(&ending);
        }
        self.decided
            .push((self.now().saturating_add(self.limits.marker_delay), ending));
    }

    fn carry_out(&mut self, ending: &Ending) {
        let now = self.now();
        let producer = ending.producer;
        let marker = Marker {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            outcome: ending.outcome,
            coordinator_epoch: self.transactions.epoch(),
        };
        for (topic, partitions) in &ending.partitions {
            for partition in partitions {
                if let Some(log) = self.topics.log_mut(topic, *partition) {
                    log.append_marker(marker, now);
                }
            }
        }
        for group in &ending.groups {
            self.groups
                .transaction_ended(group, producer.id, ending.outcome);
        }
        self.transactions.completed(ending);
    }

    // ---- restarts

    /// As after a restart on empty disks. Topic ids are not used again, and the clock goes on.
    pub(crate) fn emptied(&mut self) {
        self.cluster_id = new_cluster_id();
        self.topics.clear();
        self.groups = Groups::default();
        self.transactions = Transactions::default();
        self.sessions.clear();
        self.decided.clear();
    }

    /// As after a restart: what was written is there, what was going on in memory is not, and each partition has a new
    /// leader, though it is the same broker.
    pub(crate) fn restarted(&mut self) {
        let now = self.now();
        let decided = std::mem::take(&mut self.decided);
        self.topics.restarted();
        // Not even read again (`ProducerStateManager.loadFromSnapshot`).
        self.expire_producers();
        self.transactions.restarted();
        decided
            .iter()
            .for_each(|(_, ending)| self.carry_out(ending));
        self.groups.restarted(&self.settings, now);
        self.sessions.clear();
    }
}

#[cfg(test)]
mod tests;
