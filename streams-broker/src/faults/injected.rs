//! [`Injected`]: a fault in force, what it saw, and how to end it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::fault::{Fault, Harm};
use super::seen::{SeenRequest, Traffic};
use super::verdict::Verdict;

#[derive(Debug)]
struct State {
    ended: bool,
    /// Requests that the fault is about, so far.
    count: u64,
    seen: Traffic,
    struck: Traffic,
    struck_count: u64,
}

#[derive(Debug)]
struct Inner {
    fault: Fault,
    state: Mutex<State>,
    struck: Condvar,
    /// True once what is held may go on.
    gate: watch::Sender<bool>,
}

/// A [`Fault`] in force: what it saw and struck, and how to end it; given by [`EmbeddedKafka::inject`].
///
/// The fault stays in force when this is dropped, until [`EmbeddedKafka::clear_faults`].
///
/// ```no_run
/// use std::time::Duration;
/// use streams_broker::{ApiKey, EmbeddedKafka, Fault};
///
/// # fn commit_in_another_thread(_: &EmbeddedKafka) {}
/// # fn main() -> Result<(), streams_broker::Error> {
/// let kafka = EmbeddedKafka::start()?;
/// let commit = kafka.inject(Fault::hold(ApiKey::EndTxn).first(1));
/// commit_in_another_thread(&kafka);
/// assert!(commit.wait_until_struck(1, Duration::from_secs(10)));
/// // The commit has reached the broker and isn't decided: the moment to look, or to do harm.
/// commit.release();
/// # Ok(())
/// # }
/// ```
///
/// [`EmbeddedKafka::inject`]: crate::EmbeddedKafka::inject
/// [`EmbeddedKafka::clear_faults`]: crate::EmbeddedKafka::clear_faults
#[derive(Debug, Clone)]
pub struct Injected {
    inner: Arc<Inner>,
}

impl Injected {
    pub(super) fn new(fault: Fault, traffic_bytes: usize) -> Self {
        let inner = Inner {
            fault,
            state: Mutex::new(State {
                ended: false,
                count: 0,
                seen: Traffic::new(traffic_bytes),
                struck: Traffic::new(traffic_bytes),
                struck_count: 0,
            }),
            struck: Condvar::new(),
            gate: watch::Sender::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go what the fault holds; it holds nothing from now on, but goes on to see requests.
    pub fn release(&self) {
        self.inner.gate.send_replace(true);
    }

    /// Ends the fault; what it holds goes on.
    pub fn end(&self) {
        self.lock().ended = true;
        self.release();
    }

    /// The requests that the fault is about, struck or not, the oldest first; of very many the last 10,000, or fewer: see
    /// [`Builder::max_traffic_bytes`](crate::Builder::max_traffic_bytes).
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.lock().seen.list()
    }

    /// The requests that it struck, the oldest first; of very many the last, as with [`seen`](Self::seen).
    ///
    /// An error strikes where it is answered. A request whose answer has no place for it (it is about nothing, or of a
    /// version without error codes) is served as if there were no fault, is not among these, and a warning is logged.
    pub fn struck(&self) -> Vec<SeenRequest> {
        self.lock().struck.list()
    }

    /// Blocks until the fault has struck so many requests, and says whether it has: not if the patience came to its end.
    ///
    /// Each request counts when it has arrived, or has been answered with an error; what it asks for may be yet to happen.
    /// In async code, call it in
    /// `tokio::task::spawn_blocking`, or look at [`struck`](Self::struck) now and then.
    pub fn wait_until_struck(&self, count: u64, patience: Duration) -> bool {
        let few = |state: &mut State| state.struck_count < count;
        let waited = self
            .inner
            .struck
            .wait_timeout_while(self.lock(), patience, few);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.struck_count >= count
    }

    pub(super) fn is_in_force(&self) -> bool {
        !self.lock().ended
    }

    /// Counts a request, and adds what the fault does to it.
    pub(super) fn judge(&self, request: &Arc<SeenRequest>, verdict: &mut Verdict) {
        if !self.inner.fault.concerns(request) {
            return;
        }
        let mut state = self.lock();
        state.count += 1;
        state.seen.push(Arc::clone(request));
        if !self.inner.fault.which.strikes(state.count) {
            return;
        }
        if let Harm::Fail(code) = self.inner.fault.harm {
            // One error is answered, the first fault's. Whether it strikes is known when the answer is there.
            if verdict.error.is_none() {
                verdict.error = Some(code);
                verdict.level = self.inner.fault.level;
                verdict.failing.push(self.clone());
            }
            return;
        }
        drop(state);
        self.strike(verdict);
        self.has_struck(request);
    }

    /// Counts a request that was struck.
    pub(super) fn has_struck(&self, request: &Arc<SeenRequest>) {
        let mut state = self.lock();
        state.struck.push(Arc::clone(request));
        state.struck_count += 1;
        self.inner.struck.notify_all();
    }

    fn strike(&self, verdict: &mut Verdict) {
        match self.inner.fault.harm {
            Harm::Observe | Harm::Fail(_) => {}
            Harm::Delay(by) => verdict.before.delay += by,
            Harm::DelayAnswer(by) => verdict.after.delay += by,
            Harm::Hold => verdict.before.gates.push(self.inner.gate.subscribe()),
            Harm::HoldAnswer => verdict.after.gates.push(self.inner.gate.subscribe()),
            Harm::CutBefore => verdict.before.cut = true,
            Harm::CutAfter => verdict.after.cut = true,
        }
    }
}
