//! The stream threads of a job, started all or none.

use super::lifecycle::JobState;
use super::shared::Shared;
use super::stop::Stop;
use super::thread::StreamThread;
use super::work::Totals;
use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Starts the stream threads. If one cannot be started, those that were end before the error is told.
pub(super) async fn spawn(shared: &Arc<Shared>) -> Result<mpsc::UnboundedReceiver<Result<Totals>>> {
    let count = shared.topology.config().stream_threads;
    all_or_none(count, &shared.stop, |index, sender| {
        let shared = Arc::clone(shared);
        std::thread::Builder::new()
            .name(format!("streams-{index}"))
            .spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| run_thread(&shared, index)));
                let result = result
                    .unwrap_or_else(|panic| Err(Error::Panic(super::failing::panic_text(&*panic))));
                if result.is_err() {
                    // The other threads take a last checkpoint and end too: a job never runs on in part.
                    shared.state.become_next(JobState::Stopping);
                    shared.stop.ask();
                }
                // Nobody listens any more when the handle was dropped.
                let _ = sender.send(result);
            })
            .map(|_| ())
    })
    .await
}

async fn all_or_none(
    count: usize,
    stop: &Stop,
    spawn: impl Fn(usize, mpsc::UnboundedSender<Result<Totals>>) -> std::io::Result<()>,
) -> Result<mpsc::UnboundedReceiver<Result<Totals>>> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for index in 0..count {
        if let Err(source) = spawn(index, sender.clone()) {
            stop.ask();
            drop(sender);
            while receiver.recv().await.is_some() {}
            return Err(Error::Io {
                what: format!("starting stream thread {index}"),
                source,
            });
        }
    }
    Ok(receiver)
}

fn run_thread(shared: &Arc<Shared>, index: usize) -> Result<Totals> {
    StreamThread::start(Arc::clone(shared), index)?.run()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_thread_that_cannot_be_started_ends_those_that_were() {
        let stop = Arc::new(Stop::new(Duration::from_secs(60)));
        let (started, ended) = std::sync::mpsc::channel();
        let result = all_or_none(3, &stop, |index, sender| {
            if index == 2 {
                return Err(std::io::ErrorKind::OutOfMemory.into());
            }
            let (stop, started) = (Arc::clone(&stop), started.clone());
            std::thread::spawn(move || {
                while !stop.is_asked() {
                    std::thread::yield_now();
                }
                started.send(index).unwrap();
                drop(sender);
            });
            Ok(())
        });
        let Err(error) = result.await else {
            panic!("it started in part");
        };
        assert!(error.to_string().contains("stream thread 2"), "{error}");
        assert_eq!(ended.try_iter().count(), 2);
    }
}
