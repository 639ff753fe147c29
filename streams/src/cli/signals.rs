//! Ctrl-C and SIGTERM.

use crate::runtime::Stopper;
use crate::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// What a shell calls a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Stops the job at the first signal; ends the process at a second Ctrl-C.
pub(super) fn stop_on_signal(stopper: Stopper) -> Result<JoinHandle<()>> {
    let listen = |kind| {
        signal(kind).map_err(|source| Error::Io {
            what: "listening for signals".into(),
            source,
        })
    };
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    Ok(tokio::spawn(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "Ctrl-C",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!("{name}: taking a last checkpoint; Ctrl-C again ends the job at once");
        stopper.stop();
        interrupt.recv().await;
        tracing::warn!(
            "ended at once; what was not committed is processed again by the next start"
        );
        std::process::exit(INTERRUPTED);
    }))
}
