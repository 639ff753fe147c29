//! A topology as a program: `run`, `describe`, `check`.
//!
//! * `run` (the default) runs the job; every attribute of `#[topology]` has a flag of the same name, under the same rules.
//!   Without `--bootstrap-servers` it starts an embedded Kafka, if the crate's feature `embedded` is on.
//! * `describe` prints the topology as text, Mermaid, DOT or JSON.
//! * `check` validates the job against the cluster without running it.
//!
//! Ctrl-C and SIGTERM end a run with a last checkpoint and exit code 0; a second Ctrl-C ends it at once.

mod arguments;
#[cfg(feature = "embedded")]
mod quick_start;
mod signals;

use crate::Result;
use crate::runtime::{ClusterReport, Job, Summary};
use crate::topology::Topology;
use arguments::{Arguments, Command, Deployment, DescribeFormat, RunArguments};
use clap::Parser as _;
#[cfg(feature = "embedded")]
use quick_start::Flow;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Runs `topology` as the command line says: [`Cli`] without samples.
///
/// # Errors
///
/// What keeps the job from starting or ends it. Wrong arguments end the process with a message and exit code 2.
pub async fn run(topology: Topology) -> Result<()> {
    Cli::new(topology).run().await
}

/// Makes the how-many-th sample of a topic.
type Sample = Box<dyn Fn(u64) -> String + Send>;

/// A topology as a program.
///
/// ```no_run
/// # use streams::prelude::*;
/// # async fn f(topology: Topology) -> streams::Result<()> {
/// streams::cli::Cli::new(topology).sample("input", |n| format!("string {n}")).run().await
/// # }
/// ```
pub struct Cli {
    topology: Topology,
    samples: Vec<(String, Sample)>,
}

impl Cli {
    /// The program of `topology`.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            samples: Vec::new(),
        }
    }

    /// What the quick start on the embedded Kafka writes into a source topic: some thousand records at the start, and
    /// more while the job runs. On a real cluster nothing is written.
    #[must_use]
    pub fn sample(
        mut self,
        topic: impl Into<String>,
        make: impl Fn(u64) -> String + Send + 'static,
    ) -> Self {
        self.samples.push((topic.into(), Box::new(make)));
        self
    }

    /// Does what the process's command line says.
    ///
    /// # Errors
    ///
    /// What keeps the job from starting or ends it. Wrong arguments end the process with a message and exit code 2.
    pub async fn run(self) -> Result<()> {
        self.run_with(std::env::args_os()).await
    }

    /// Does what `arguments` say; the first one is the program's name.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_with<A: Into<OsString> + Clone>(
        self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<()> {
        match Arguments::parse_from(arguments).command() {
            Command::Describe { format } => {
                describe(&self.topology, format);
                Ok(())
            }
            Command::Check(deployment) => {
                start_log();
                let report = job(self.topology, &deployment)?.check().await?;
                tell_report(&report);
                Ok(())
            }
            Command::Run(run) => {
                start_log();
                self.run_job(&run).await
            }
        }
    }

    async fn run_job(self, run: &RunArguments) -> Result<()> {
        if run.deployment.bootstrap_servers().is_some() {
            return tell_summary(
                run_until_stopped(job(self.topology, &run.deployment)?, run).await?,
            );
        }
        #[cfg(feature = "embedded")]
        {
            let topology = run.deployment.apply(self.topology)?;
            let kafka = quick_start::QuickStart::start(&topology, self.samples).await?;
            let deployment = run.deployment.on(kafka.bootstrap_servers());
            let feeding = kafka.feed(if run.until_latest {
                Flow::Once
            } else {
                Flow::Steady
            })?;
            let summary = run_until_stopped(job(topology, &deployment)?, run).await;
            drop(feeding);
            tell_summary(summary?)
        }
        #[cfg(not(feature = "embedded"))]
        Err(crate::Error::Configuration(
            "where is Kafka? `--bootstrap-servers HOST:PORT` says it; with the feature `embedded` of the `streams` crate a run without it starts a Kafka of its own".into(),
        ))
    }
}

fn job(topology: Topology, deployment: &Deployment) -> Result<Job> {
    let properties = deployment.properties()?;
    let job = Job::new(deployment.apply(topology)?, properties);
    Ok(match deployment.state_dir() {
        Some(directory) => job.state_dir(directory),
        None => job,
    })
}

async fn run_until_stopped(job: Job, run: &RunArguments) -> Result<Summary> {
    let job = if run.until_latest {
        job.until_latest()
    } else {
        job
    };
    let handle = job.start().await?;
    let signals = signals::stop_on_signal(handle.stopper())?;
    let summary = handle.join().await;
    signals.abort();
    summary
}

fn describe(topology: &Topology, format: DescribeFormat) {
    let description = topology.describe();
    let text = match format {
        DescribeFormat::Text => description.to_string(),
        DescribeFormat::Mermaid => description.mermaid(),
        DescribeFormat::Dot => description.dot(),
        DescribeFormat::Json => description.json(),
    };
    println!("{}", text.trim_end());
}

fn tell_report(report: &ClusterReport) {
    let list = |topics: &std::collections::BTreeMap<String, i32>| {
        topics
            .iter()
            .map(|(t, n)| format!("{t} ({n} partitions)"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    println!(
        "the job can run on this cluster of {} broker(s)",
        report.brokers
    );
    println!("  source topics: {}", list(&report.sources));
    println!("  output topics: {}", list(&report.sinks));
    match report.transaction_max_timeout {
        Some(max) => println!("  longest transaction: {} s", max.as_secs()),
        None => println!("  longest transaction: not told by the brokers"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "ends a chain of results")]
fn tell_summary(summary: Summary) -> Result<()> {
    tracing::info!(
        "done: {} records in, {} records out, {} checkpoints, {} recoveries, {:.1} s",
        summary.processed,
        summary.written,
        summary.checkpoints,
        summary.recoveries,
        summary.took.as_secs_f64()
    );
    Ok(())
}

/// Logs to standard error; `RUST_LOG` says more or less. A log that the program has set up itself stays.
fn start_log() {
    // rdkafka's own wrapper complains about consumers that were already closed.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,rdkafka=off"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
