//! A clock that costs a record nothing to read.
//!
//! A stream thread asks before each record whether a checkpoint is due, so that slow user code cannot let a transaction
//! time out. Reading the system's clock so often would cost more than a small record's way through the graph.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often the clock moves on.
const TICK: Duration = Duration::from_millis(10);

/// Milliseconds since the job started, to [`TICK`].
#[derive(Clone, Debug)]
pub(crate) struct CoarseClock {
    now: Arc<AtomicU64>,
}

impl CoarseClock {
    /// Starts the clock; it ends when its last handle is dropped.
    pub(crate) fn start() -> std::io::Result<Self> {
        let now = Arc::new(AtomicU64::new(0));
        let shared = Arc::downgrade(&now);
        thread::Builder::new()
            .name("streams-clock".into())
            .spawn(move || {
                let start = Instant::now();
                while let Some(now) = shared.upgrade() {
                    now.store(
                        u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
                        Ordering::Relaxed,
                    );
                    drop(now);
                    thread::sleep(TICK);
                }
            })?;
        Ok(Self { now })
    }

    /// Milliseconds since the start.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}
