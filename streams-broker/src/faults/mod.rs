//! Harm on command: answers with errors, late answers, cut connections; and a record of what was asked.
//!
//! Invariants: which requests are struck depends on the order of requests alone, never on time; a request that a fault
//! lets through is served exactly as without it. Of the traffic the last requests are kept, a bounded number of bounded
//! size. A fault that wants an error answered has struck when the answer has it.

mod fault;
mod injected;
mod seen;
mod text;
mod verdict;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::fault::{ErrorLevel, Fault};
pub use self::injected::Injected;
pub use self::seen::SeenRequest;
use self::seen::Traffic;
pub(crate) use self::verdict::{Told, Verdict};

#[derive(Debug)]
struct State {
    faults: Vec<Injected>,
    traffic: Traffic,
}

/// The faults in force and the traffic so far.
#[derive(Debug)]
pub(crate) struct Faults {
    state: Mutex<State>,
    /// How much of the traffic is remembered, here and by each fault.
    traffic_bytes: usize,
}

impl Faults {
    pub(crate) fn new(traffic_bytes: usize) -> Self {
        let state = State {
            faults: Vec::new(),
            traffic: Traffic::new(traffic_bytes),
        };
        Self {
            state: Mutex::new(state),
            traffic_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inject(&self, fault: Fault) -> Injected {
        let injected = Injected::new(fault, self.traffic_bytes);
        self.lock().faults.push(injected.clone());
        injected
    }

    /// Ends all faults; what they hold goes on.
    pub(crate) fn clear(&self) {
        self.lock().faults.drain(..).for_each(|fault| fault.end());
    }

    /// The faults in force, in the order in which they were injected.
    pub(crate) fn in_force(&self) -> Vec<Injected> {
        let mut state = self.lock();
        state.faults.retain(Injected::is_in_force);
        state.faults.clone()
    }

    /// The last requests, the oldest first.
    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.lock().traffic.list()
    }

    /// What became of the errors that faults wanted answered.
    pub(crate) fn answered(verdict: &Verdict, request: &Arc<SeenRequest>, told: Told) {
        match (told, verdict.error) {
            (_, None) => {}
            (Told::Yes, Some(_)) => {
                let failing = verdict.failing.iter();
                failing.for_each(|fault| fault.has_struck(request));
            }
            (Told::No, Some(error)) => {
                let (api, version) = (request.api, request.version);
                tracing::warn!(
                    ?api,
                    version,
                    ?error,
                    "an injected error has no place in the answer: the request was served"
                );
            }
        }
    }

    /// Notes a request and judges it.
    pub(crate) fn judge(&self, request: &Arc<SeenRequest>) -> Verdict {
        let mut state = self.lock();
        let mut verdict = Verdict::default();
        state.faults.retain(Injected::is_in_force);
        for fault in &state.faults {
            fault.judge(request, &mut verdict);
        }
        state.traffic.push(Arc::clone(request));
        verdict
    }
}

#[cfg(test)]
mod tests;
