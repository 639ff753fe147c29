//! The broker's state as connections share it: one lock, the faults, and what makes the whole broker stand still.
//!
//! Invariant: the state is behind one mutex, taken once a request and never held across an await. What a request waits
//! for (new records, a rebalance) is a channel or a [`Notify`] that the holder of the lock fires.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::broker::{Broker, Limits};
use crate::faults::Faults;

/// The state as connections share it.
#[derive(Debug)]
pub(crate) struct Shared {
    broker: Mutex<Broker>,
    pub(crate) faults: Faults,
    /// What is known without the lock.
    pub(crate) limits: Limits,
    alarm: Notify,
    paused: watch::Sender<bool>,
    refuses: AtomicBool,
}

impl Shared {
    pub(crate) fn new(broker: Broker) -> Self {
        let limits = broker.limits;
        let faults = Faults::new(limits.traffic_bytes);
        Self {
            limits,
            broker: Mutex::new(broker),
            faults,
            alarm: Notify::new(),
            paused: watch::Sender::new(false),
            refuses: AtomicBool::new(false),
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

    /// Moves the clock, and does what is due then, unless the broker stands still.
    pub(crate) fn advance(&self, by: Duration) {
        let mut broker = self.lock();
        broker.clock.advance(by);
        if !*self.paused.borrow() {
            broker.tick();
            self.alarm.notify_one();
        }
    }

    /// Makes everything stand still, or go on.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.send_replace(paused);
        self.alarm.notify_one();
    }

    /// Waits while the broker stands still.
    pub(crate) async fn running(&self) {
        if *self.paused.borrow() {
            // The sender is this structure's own, so it is there.
            let _ = self.paused.subscribe().wait_for(|paused| !*paused).await;
        }
    }

    /// Waits until so much time has passed by the machine's clock, which is the clients' too; longer, while the broker stands
    /// still.
    pub(crate) async fn passed(&self, time: Duration) {
        sleep(time).await;
        self.running().await;
    }

    /// Makes the broker refuse new connections, or accept them.
    pub(crate) fn set_refuses(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Release);
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Sleeps from deadline to deadline, forever.
    pub(crate) async fn keep_time(&self) {
        loop {
            self.running().await;
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
