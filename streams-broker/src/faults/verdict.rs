//! What is to happen to one request: on its way to the broker's state, and on its answer's way back.

use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::watch;

use super::fault::ErrorLevel;
use super::injected::Injected;
use crate::server::Closed;

/// Opens when its fault lets go.
pub(super) type Gate = watch::Receiver<bool>;

/// What faults have put into one way.
#[derive(Debug, Default)]
pub(crate) struct Way {
    pub(super) delay: Duration,
    pub(super) gates: Vec<Gate>,
    pub(super) cut: bool,
}

impl Way {
    /// Waits as long as it must, and says whether the connection is still there.
    pub(crate) async fn pass(&mut self) -> Result<(), Closed> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        for gate in &mut self.gates {
            // A fault that is gone holds nothing.
            let _ = gate.wait_for(|open| *open).await;
        }
        if self.cut {
            Err(Closed::Injected)
        } else {
            Ok(())
        }
    }
}

/// What faults have decided about a request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Answered instead of what the request asks for.
    pub(crate) error: Option<ResponseError>,
    /// Where in the answer, if the fault says so.
    pub(crate) level: Option<ErrorLevel>,
    /// Before the request takes effect.
    pub(crate) before: Way,
    /// Between its effect and its answer.
    pub(crate) after: Way,
    /// The faults that want an error answered.
    pub(super) failing: Vec<Injected>,
}

/// Whether an error found its place in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Yes,
    /// The answer has none: it is of a kind or version without error codes, or about nothing.
    No,
}
