//! Ctrl-C and SIGTERM.

use crate::runtime::Stopper;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// What a shell calls a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// What has asked the process to end, from the moment on that this is listening.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|source| Error::Io {
                what: "listening for signals".into(),
                source,
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal, and tells its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// What comes first: the job that is being started, or a signal, at which `None` is told and the start is given up.
    pub(super) async fn or_started<S>(&mut self, start: impl Future<Output = S>) -> Option<S> {
        let name = tokio::select! {
            biased;
            name = self.next() => name,
            started = start => return Some(started),
        };
        // Before it is promised.
        let again = match end_at_next_ctrl_c() {
            Ok(()) => ", and Ctrl-C again ends the process at once",
            Err(error) => {
                tracing::warn!(%error, "another Ctrl-C is not heard");
                ""
            }
        };
        tracing::info!(
            "{name}: the job had not started, and nothing was processed; a question to the brokers may take 15 s more{again}"
        );
        None
    }

    /// Stops the job at the first signal; ends the process at a second Ctrl-C.
    pub(super) fn stop(mut self, stopper: Stopper) -> Listening {
        let heard = Arc::new(AtomicBool::new(false));
        let hear = heard.clone();
        let task = tokio::spawn(async move {
            let name = self.next().await;
            hear.store(true, Ordering::Relaxed);
            tracing::info!("{name}: taking a last checkpoint; Ctrl-C again ends the job at once");
            stopper.stop();
            self.interrupt.recv().await;
            end_at_once();
        });
        Listening { heard, task }
    }
}

/// Signals are being listened for while the job runs.
pub(super) struct Listening {
    heard: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Listens no more, and says whether there was a signal.
    pub(super) fn end(self) -> bool {
        self.task.abort();
        self.heard.load(Ordering::Relaxed)
    }
}

/// Listens on a runtime of its own: the program's has ended by then, but for the questions that it waits for.
fn end_at_next_ctrl_c() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let mut interrupt = {
        let _of_this_runtime = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    std::thread::Builder::new()
        .name("streams-signals".into())
        .spawn(move || {
            runtime.block_on(interrupt.recv());
            end_at_once()
        })?;
    Ok(())
}

fn end_at_once() -> ! {
    tracing::warn!("ended at once; what was not committed is processed again by the next start");
    std::process::exit(INTERRUPTED);
}
