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
    let text = builder.stream::<Keyless, String>(&run.input);
    text.to(&run.output);
    work(run, builder.build())
}

/// The same, without what the records have of headers.
pub(crate) fn copy_without_headers(run: &Run) -> Result<f64, Failure> {
    let builder = TopologyBuilder::new(&format!("bench-{}", run.output));
    builder.checkpoint_interval(Duration::from_millis(run.interval_ms));
    let text: KStream<Keyless, String> = builder.source_without_headers(&run.input, ByType, ByType);
    text.to(&run.output);
    work(run, builder.build())
}

/// Counts by key until everything is committed; the seconds from assignment to last commit.
pub(crate) fn count(run: &Run) -> Result<f64, Failure> {
    let builder = TopologyBuilder::new(&format!("bench-{}", run.output));
    let input = builder.source(&run.input, ByType, ByType);
    count_by_key(run, builder, &input)
}

/// The same, without what the records have of headers.
pub(crate) fn count_without_headers(run: &Run) -> Result<f64, Failure> {
    let builder = TopologyBuilder::new(&format!("bench-{}", run.output));
    let input = builder.source_without_headers(&run.input, ByType, ByType);
    count_by_key(run, builder, &input)
}

fn count_by_key(
    run: &Run,
    builder: TopologyBuilder,
    input: &KStream<str, [u8]>,
) -> Result<f64, Failure> {
    builder.checkpoint_interval(Duration::from_millis(run.interval_ms));
    let counts = input.clone().group_by_key().count().named("counts");
    counts.to_stream().to(&run.output);
    work(run, builder.build())
}

/// Keeps the newest value of each key, writes its length, and prints how far a restore is, until it is killed.
pub(crate) fn keep_newest(run: &Run) -> Result<(), Failure> {
    let builder = TopologyBuilder::new(&format!("bench-{}", run.output));
    builder.checkpoint_interval(Duration::from_millis(run.interval_ms));
    let input: KStream<str, Vec<u8>> = builder.source(&run.input, streams::ByType, streams::ByType);
    let newest = input.group_by_key().reduce(|_, newest| newest.clone());
    let lengths = newest.named("newest").to_stream();
    lengths
        .map_values(|value| value.as_ref().map(|value| value.len() as u64))
        .to(&run.output);
    let directory = run.state_dir.as_deref().ok_or("no --state-dir")?;
    let job = Job::new(builder.build(), Properties::new(&run.bootstrap_servers))
        .state_dir(directory)
        .on_event(|event| match event {
            Event::Restore(restore) => println!(
                "{} {} {} {}",
                restore.changelog,
                restore.records,
                restore.bytes,
                restore.took.as_secs_f64()
            ),
            Event::Recovering { why, .. } => eprintln!("{why}"),
            _ => {}
        });
    tokio::runtime::Runtime::new()?.block_on(job.run())?;
    Ok(())
}

fn work(run: &Run, topology: Topology) -> Result<f64, Failure> {
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
        return Err("nothing was committed".into());
    };
    Ok((end - start).as_secs_f64())
}
