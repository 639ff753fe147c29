//! The request to end, and how long ending may take.

use crate::Error;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A job that was asked to end has this long for what is left to do, or its transaction's timeout if that is shorter.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a stream thread may take beyond that to close its clients. Then it is not waited for any more: some calls of
/// librdkafka return only when a request has timed out (`socket.timeout.ms`, a minute), whatever they were told.
const GRACE: Duration = Duration::from_secs(4);

/// Asked once, by whoever; looked at by the stream threads, also while they wait for a broker.
#[derive(Debug)]
pub(crate) struct Stop {
    deadline: OnceLock<Instant>,
    patience: Duration,
}

impl Stop {
    pub(crate) fn new(transaction_timeout: Duration) -> Self {
        Self {
            deadline: OnceLock::new(),
            patience: PATIENCE.min(transaction_timeout),
        }
    }

    pub(crate) fn ask(&self) {
        self.deadline.get_or_init(|| Instant::now() + self.patience);
    }

    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.deadline.get().is_some()
    }

    /// Until when the job has to have ended, once it was asked to.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().copied()
    }

    /// Whether the time for ending in order is over.
    pub(crate) fn is_overdue(&self) -> bool {
        self.deadline().is_some_and(|end| Instant::now() >= end)
    }
}

/// A job that is being started. Who drops it before it has succeeded wants the job no more: what works at it elsewhere ends.
pub(super) struct Starting(Option<Arc<Stop>>);

impl Starting {
    pub(super) fn new(stop: &Arc<Stop>) -> Self {
        Self(Some(Arc::clone(stop)))
    }

    pub(super) fn succeed(mut self) {
        self.0 = None;
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.ask();
        }
    }
}

/// Completes when the threads of a job that was asked to end have not ended in time. Never, if that cannot be watched.
pub(super) fn watch(stop: Arc<Stop>) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    // A thread and not the async runtime's timer, which a runtime need not have.
    let watching = std::thread::Builder::new()
        .name("streams-stop".into())
        .spawn(move || {
            while !sender.is_closed() {
                if stop
                    .deadline()
                    .is_some_and(|end| Instant::now() >= end + GRACE)
                {
                    let _ = sender.send(());
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
    if let Err(error) = watching {
        tracing::warn!(%error, "no thread to watch over the end: it may take long");
    }
    receiver
}

/// Why a job ends although a stream thread has not.
pub(super) fn still_waiting() -> Error {
    Error::Client(
        "stopped without a last checkpoint: a stream thread still waits for an answer of a broker; what is not committed is processed again by the next start, which aborts the transaction that was left open"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ending_may_take_no_longer_than_a_transaction() {
        let stop = Stop::new(Duration::ZERO);
        assert!(!stop.is_overdue());
        stop.ask();
        assert!(stop.is_asked() && stop.is_overdue());
        let patient = Stop::new(Duration::from_secs(60));
        patient.ask();
        assert!(!patient.is_overdue());
        assert!(patient.deadline() <= Some(Instant::now() + PATIENCE));
    }
}
