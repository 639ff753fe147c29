//! The recipe's copy as a job of this library.

use crate::Failure;
use crate::contestant::Run;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use streams::prelude::*;
use streams::runtime::{Event, Job, Properties};

/// When the partitions were assigned, and when the last checkpoint was committed.
type Span = Arc<Mutex<(Option<Instant>, Option<Instant>)>>;

/// Copies until everything is committed; the seconds from assignment to last commit.
pub(crate) fn copy(run: &Run) -> Result<f64, Failure> {
    let builder = TopologyBuilder::new(&format!("bench-{}", run.output));
    builder.checkpoint_interval(Duration::from_millis(run.interval_ms));
    let text: KStream<Keyless, String> =
        builder.source(&run.input, streams::ByType, streams::ByType);
    streams::sink(text, &run.output, streams::ByType, streams::ByType);
    let topology = builder.build();

    let directory = tempfile::tempdir()?;
    let span = Span::default();
    let noted = Arc::clone(&span);
    let job = Job::new(topology, Properties::new(&run.bootstrap_servers))
        .state_dir(directory.path())
        .on_event(move |event| {
            let mut span = noted.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Event::Assigned { .. } => span.0 = Some(Instant::now()),
                Event::Checkpoint(_) => span.1 = Some(Instant::now()),
                Event::Recovering { why, .. } => eprintln!("{why}"),
                _ => {}
            }
        });
    let job = if run.records > 0 {
        job.until_latest()
    } else {
        job
    };
    tokio::runtime::Runtime::new()?.block_on(job.run())?;
    let (Some(start), Some(end)) = *span.lock().unwrap_or_else(PoisonError::into_inner) else {
        return Err("nothing was copied".into());
    };
    Ok((end - start).as_secs_f64())
}
