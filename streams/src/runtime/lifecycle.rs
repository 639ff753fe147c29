//! The states of a job, and which may follow which.
//!
//! ```text
//!            ┌──────────► Failed
//!            │              ▲
//! Created ─► Starting ─► Running ─► Stopping ─► Stopped
//!                           │           │
//!                           └──► ... ───┴─────► Failed
//! ```

use super::event::{Event, Listener};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Made, nothing contacted yet.
    Created,
    /// Checking the cluster and starting its stream threads.
    Starting,
    /// Its stream threads process records.
    Running,
    /// Taking the last checkpoint: it was asked to end, is done, or something has failed.
    Stopping,
    /// Ended after a last checkpoint.
    Stopped,
    /// Ended by an error; what was not yet committed is processed again by the next start.
    Failed,
}

impl JobState {
    /// Whether `next` may follow this state.
    pub fn may_become(self, next: JobState) -> bool {
        use JobState::{Created, Failed, Running, Starting, Stopped, Stopping};
        matches!(
            (self, next),
            (Created, Starting)
                | (Starting, Running | Failed | Stopping)
                | (Running, Stopping | Failed)
                | (Stopping, Stopped | Failed)
        )
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JobState::Created => "created",
            JobState::Starting => "starting",
            JobState::Running => "running",
            JobState::Stopping => "stopping",
            JobState::Stopped => "stopped",
            JobState::Failed => "failed",
        })
    }
}

/// The job's state, which changes by the transition table only.
#[derive(Clone)]
pub(crate) struct StateCell {
    state: Arc<Mutex<JobState>>,
    listener: Listener,
}

impl StateCell {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            state: Arc::new(Mutex::new(JobState::Created)),
            listener,
        }
    }

    pub(super) fn get(&self) -> JobState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on to `next`; does nothing where that may not follow (a job that is stopped twice).
    pub(super) fn become_next(&self, next: JobState) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.may_become(next) {
            let from = std::mem::replace(&mut *state, next);
            drop(state);
            self.listener.tell(&Event::StateChanged { from, to: next });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::JobState::{self, Created, Failed, Running, Starting, Stopped, Stopping};

    const ALL: [JobState; 6] = [Created, Starting, Running, Stopping, Stopped, Failed];

    #[test]
    fn an_ended_job_stays_ended() {
        for next in ALL {
            assert!(!Stopped.may_become(next), "stopped -> {next}");
            assert!(!Failed.may_become(next), "failed -> {next}");
        }
    }

    #[test]
    fn every_state_but_the_first_can_be_reached() {
        for state in ALL.into_iter().filter(|s| *s != Created) {
            assert!(
                ALL.into_iter().any(|from| from.may_become(state)),
                "{state}"
            );
        }
    }
}
