//! The broker's whole state in one place, and what happens in it by time.
//!
//! Invariants:
//! - Everything is behind one mutex, taken once a request and never held across an await. What a request waits for (new
//!   records, a rebalance) is a channel or a [`tokio::sync::Notify`] that the holder of the lock fires.
//! - A decided transaction is carried out whole: a marker in every registered partition, offsets made visible or dropped.
//! - Deadlines are kept in the state; the alarm task sleeps until the earliest one and calls [`Broker::tick`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::{Clock, Millis};
use crate::faults::Faults;
use crate::groups::Groups;
use crate::settings::Settings;
use crate::topics::{Refused, Topic, Topics};
use crate::transactions::{Ending, Initialised, ProducerIdentity, Transactions};

/// Where clients reach this broker.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The id of the one-broker cluster.
pub(crate) const CLUSTER_ID: &str = "embedded-kafka-cluster";

/// The state.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) node: Node,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    /// How long a decided transaction waits for its markers.
    pub(crate) marker_delay: Millis,
    decided: Vec<(Millis, Ending)>,
    next_scan: Millis,
    next_retention: Millis,
    alarm_at: Option<Millis>,
}

impl Broker {
    pub(crate) fn new(node: Node, settings: Settings, marker_delay: Millis) -> Self {
        let clock = Clock::new();
        let mut broker = Self {
            node,
            settings,
            next_scan: clock.now(),
            next_retention: clock.now(),
            clock,
            topics: Topics::default(),
            groups: Groups::default(),
            transactions: Transactions::default(),
            marker_delay,
            decided: Vec::new(),
            alarm_at: None,
        };
        broker.next_scan += broker.scan_interval();
        broker.next_retention += broker.retention_interval();
        broker
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    // ---- topics

    /// The topic, created if it isn't there and that is allowed.
    pub(crate) fn topic_or_create(
        &mut self,
        name: &str,
        may_create: bool,
    ) -> Result<&Topic, Refused> {
        let missing = self.topics.get(name).is_none();
        if missing && may_create && self.settings.flag("auto.create.topics.enable") {
            self.create_topic(name, -1, Settings::topic())?;
        }
        let unknown = || {
            Refused::new(
                ResponseError::UnknownTopicOrPartition,
                "This server does not host this topic.",
            )
        };
        self.topics.get(name).ok_or_else(unknown)
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

    /// Deletes a topic, and what groups and transactions know of it.
    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<(), Refused> {
        self.topics.delete(name)?;
        self.groups.forget_topic(name);
        self.transactions.forget_topic(name);
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
        match self.transactions.initialise(id, timeout, expected)? {
            Initialised::Ready(producer) => Ok(producer),
            Initialised::AbortFirst(ending) => {
                self.decide(ending);
                Err(ResponseError::ConcurrentTransactions)
            }
        }
    }

    /// Carries out a decided transaction, at once or after the marker delay.
    pub(crate) fn decide(&mut self, ending: Ending) {
        if self.marker_delay == 0 {
            return self.carry_out(&ending);
        }
        self.decided
            .push((self.now().saturating_add(self.marker_delay), ending));
    }

    fn carry_out(&mut self, ending: &Ending) {
        let now = self.now();
        let producer = ending.producer;
        for (topic, partitions) in &ending.partitions {
            for partition in partitions {
                if let Some(log) = self.topics.log_mut(topic, *partition) {
                    log.append_marker(producer.id, producer.epoch, ending.outcome, now);
                }
            }
        }
        for group in &ending.groups {
            self.groups
                .transaction_ended(group, producer.id, ending.outcome);
        }
        self.transactions.completed(ending);
    }

    // ---- time

    fn scan_interval(&self) -> Millis {
        self.settings
            .number("transaction.abort.timed.out.transaction.cleanup.interval.ms")
            .max(1)
    }

    fn retention_interval(&self) -> Millis {
        self.settings
            .number("log.retention.check.interval.ms")
            .max(1)
    }

    /// Deletes records that no topic's retention keeps, and groups of which nothing is left.
    pub(crate) fn apply_retention(&mut self) {
        let now = self.now();
        self.topics.retain(now);
        self.groups.bury();
        self.next_retention = now.saturating_add(self.retention_interval());
    }

    /// Does everything that is due, and gives the time of what is due next.
    pub(crate) fn tick(&mut self) -> Option<Millis> {
        let now = self.now();
        let decided = std::mem::take(&mut self.decided);
        let (due, later): (Vec<_>, Vec<_>) = decided.into_iter().partition(|(at, _)| *at <= now);
        self.decided = later;
        due.iter().for_each(|(_, ending)| self.carry_out(ending));
        if self.next_scan <= now {
            let missed = (now - self.next_scan) / self.scan_interval() + 1;
            self.next_scan = self
                .next_scan
                .saturating_add(missed.saturating_mul(self.scan_interval()));
            for ending in self.transactions.time_out(now) {
                self.decide(ending);
            }
        }
        if self.next_retention <= now {
            self.apply_retention();
        }
        self.groups.tick(now);
        self.alarm_at = self.next_deadline();
        self.alarm_at
    }

    fn next_deadline(&self) -> Option<Millis> {
        let scan = self.transactions.any_ongoing().then_some(self.next_scan);
        let markers = self.decided.iter().map(|(at, _)| *at).min();
        [
            Some(self.next_retention),
            scan,
            markers,
            self.groups.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether something is due before the alarm would ring.
    fn is_early(&mut self) -> bool {
        let next = self.next_deadline();
        let early = next.is_some_and(|next| self.alarm_at.is_none_or(|alarm| next < alarm));
        if early {
            self.alarm_at = next;
        }
        early
    }

    /// As after a restart: what was written is there, what was going on in memory is not.
    pub(crate) fn restarted(&mut self) {
        let now = self.now();
        let decided = std::mem::take(&mut self.decided);
        decided
            .iter()
            .for_each(|(_, ending)| self.carry_out(ending));
        self.groups.restarted(now);
    }
}

/// The state as connections share it.
#[derive(Debug)]
pub(crate) struct Shared {
    broker: Mutex<Broker>,
    pub(crate) faults: Faults,
    alarm: Notify,
}

impl Shared {
    pub(crate) fn new(broker: Broker) -> Self {
        Self {
            broker: Mutex::new(broker),
            faults: Faults::default(),
            alarm: Notify::new(),
        }
    }

    /// The state, for one request. A panic of another holder leaves it usable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something that may set deadlines.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Broker) -> T) -> T {
        let mut broker = self.lock();
        let result = change(&mut broker);
        if broker.is_early() {
            self.alarm.notify_one();
        }
        result
    }

    /// Moves the clock, and does what is due then.
    pub(crate) fn advance(&self, by: Duration) {
        let mut broker = self.lock();
        broker.clock.advance(by);
        broker.tick();
        self.alarm.notify_one();
    }

    /// Sleeps from deadline to deadline, forever.
    pub(crate) async fn keep_time(&self) {
        loop {
            let wait = {
                let mut broker = self.lock();
                let next = broker.tick();
                next.map(|at| u64::try_from(at.saturating_sub(broker.now())).unwrap_or_default())
            };
            match wait {
                Some(wait) => tokio::select! {
                    () = sleep(Duration::from_millis(wait.max(1))) => {}
                    () = self.alarm.notified() => {}
                },
                None => self.alarm.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::log::batch::Outcome;
    use crate::transactions::{NO_PRODUCER, Partitions};

    fn broker(marker_delay: Millis) -> Broker {
        let node = Node {
            id: 1,
            host: "127.0.0.1".to_owned(),
            port: 0,
        };
        let mut broker = Broker::new(node, Settings::broker(), marker_delay);
        broker.create_topic("a", 2, Settings::topic()).unwrap();
        broker
    }

    fn begin(broker: &mut Broker) -> ProducerIdentity {
        let producer = broker.initialise_producer("t", 1000, NO_PRODUCER).unwrap();
        let partitions = Partitions::from([("a".to_owned(), BTreeSet::from([0, 1]))]);
        let now = broker.now();
        broker
            .transactions
            .add_partitions("t", producer, &partitions, now)
            .unwrap();
        producer
    }

    #[test]
    fn markers_go_to_every_partition_when_they_are_due() {
        let mut broker = broker(50);
        let producer = begin(&mut broker);
        let ending = broker
            .transactions
            .end("t", producer, Outcome::Commit)
            .unwrap()
            .unwrap();
        broker.decide(ending);
        assert_eq!(broker.topics.log("a", 1).unwrap().end(), 0);
        broker.clock.advance(Duration::from_millis(50));
        broker.tick();
        assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
        assert_eq!(broker.topics.log("a", 1).unwrap().end(), 1);
    }

    #[test]
    fn late_transactions_are_aborted_at_the_next_scan() {
        let mut broker = broker(0);
        begin(&mut broker);
        broker.clock.advance(Duration::from_secs(9));
        broker.tick();
        assert_eq!(broker.topics.log("a", 0).unwrap().end(), 0);
        broker.clock.advance(Duration::from_secs(2));
        broker.tick();
        assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
    }

    #[test]
    fn initialising_again_aborts_and_asks_to_come_back() {
        let mut broker = broker(0);
        let old = begin(&mut broker);
        let first = broker.initialise_producer("t", 1000, NO_PRODUCER);
        assert_eq!(first, Err(ResponseError::ConcurrentTransactions));
        assert_eq!(
            broker
                .initialise_producer("t", 1000, NO_PRODUCER)
                .unwrap()
                .epoch,
            old.epoch + 2
        );
        assert_eq!(broker.topics.log("a", 0).unwrap().end(), 1);
    }
}
