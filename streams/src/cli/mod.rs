//! A topology as a program: `run`, `describe`, `check`.
//!
//! * `run` (the default) runs the job; every attribute of `#[topology]` has a flag of the same name, under the same rules.
//!   Without `--bootstrap-servers` it starts an embedded Kafka, if the crate's feature `embedded` is on.
//! * `describe` prints the topology as text, Mermaid, DOT or JSON.
//! * `check` validates the job against the cluster without running it.
//!
//! Ctrl-C and SIGTERM end a run with a last checkpoint and exit code 0; a second Ctrl-C ends it at once.

mod arguments;
mod bars;
#[cfg(feature = "embedded")]
mod lines;
mod print;
#[cfg(feature = "embedded")]
mod quick_start;
mod report;
#[cfg(feature = "embedded")]
mod show;
mod signals;
#[cfg(feature = "embedded")]
mod stopped;

use crate::Result;
use crate::runtime::{Job, Summary};
#[cfg(feature = "embedded")]
use crate::serde::{HasSerde, Serde};
#[cfg(feature = "embedded")]
use crate::testing::RawRecord;
use crate::topology::Topology;
use arguments::{Arguments, Command, Deployment, DescribeFormat, End, RunArguments};
use bars::Bars;
use clap::Parser as _;
use signals::Signals;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
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
    #[cfg(feature = "embedded")]
    records: Vec<(String, Vec<RawRecord>)>,
    #[cfg(feature = "embedded")]
    lines: Vec<lines::Lines>,
    #[cfg(feature = "embedded")]
    shows: Vec<show::Show>,
}

impl Cli {
    /// The program of `topology`.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            samples: Vec::new(),
            #[cfg(feature = "embedded")]
            records: Vec::new(),
            #[cfg(feature = "embedded")]
            lines: Vec::new(),
            #[cfg(feature = "embedded")]
            shows: Vec::new(),
        }
    }

    /// What the quick start on the embedded Kafka writes into a source topic: some thousand records at the start, and
    /// more while the job runs. `--lines TOPIC=FILE` on the command line takes the lines of a file instead, once. On a real
    /// cluster nothing is written.
    #[must_use]
    pub fn sample(
        mut self,
        topic: impl Into<String>,
        make: impl Fn(u64) -> String + Send + 'static,
    ) -> Self {
        self.samples.push((topic.into(), Box::new(make)));
        self
    }

    /// What the quick start on the embedded Kafka writes into a source topic before the job starts: these records, once, each
    /// to the partition of its key. A record without a timestamp gets the time when it is written. On a real cluster nothing is
    /// written.
    ///
    /// ```no_run
    /// # use streams::prelude::*;
    /// # async fn f(topology: Topology) -> streams::Result<()> {
    /// use streams::testing::RawRecord;
    ///
    /// let airline = |code: &str, name: &str| RawRecord::new(Some(code.into()), Some(name.into()));
    /// let airlines = [airline("AA", "American Airlines"), airline("UA", "United Air Lines")];
    /// streams::cli::Cli::new(topology).records("airlines", airlines).run().await
    /// # }
    /// ```
    #[cfg(feature = "embedded")]
    #[must_use]
    pub fn records(
        mut self,
        topic: impl Into<String>,
        records: impl IntoIterator<Item = RawRecord>,
    ) -> Self {
        let records = records.into_iter().collect();
        self.records.push((topic.into(), records));
        self
    }

    /// Like [`records`](Self::records), of lines of text: `record` makes one of a line, or none. `--lines TOPIC=FILE` on the
    /// command line takes the lines of a file instead.
    ///
    /// ```no_run
    /// # use streams::prelude::*;
    /// # async fn f(topology: Topology) -> streams::Result<()> {
    /// use streams::testing::RawRecord;
    ///
    /// let lines = ["to be", "or not to be"].map(str::to_owned);
    /// let record = |line: &str| Some(RawRecord::new(None, Some(line.as_bytes().into())));
    /// streams::cli::Cli::new(topology).lines("lines", lines, record).run().await
    /// # }
    /// ```
    #[cfg(feature = "embedded")]
    #[must_use]
    pub fn lines(
        mut self,
        topic: impl Into<String>,
        lines: impl IntoIterator<Item = String>,
        record: impl Fn(&str) -> Option<RawRecord> + Send + 'static,
    ) -> Self {
        let lines = lines.into_iter().collect();
        let lines = lines::Lines::new(topic.into(), lines, Box::new(record));
        self.lines.push(lines);
        self
    }

    /// What a run on the embedded Kafka prints to standard output when it has ended: `text` of the newest value of each key
    /// of a topic, in the order of the keys' bytes. Above it stands how far the run came, if it was stopped. On a real
    /// cluster nothing is printed.
    ///
    /// ```no_run
    /// # use streams::prelude::*;
    /// # async fn f(topology: Topology) -> streams::Result<()> {
    /// let text = |counts: Vec<(String, i64)>| format!("{} words", counts.len());
    /// streams::cli::Cli::new(topology).show("word-counts", text).run().await
    /// # }
    /// ```
    #[cfg(feature = "embedded")]
    #[must_use]
    pub fn show<K, V>(
        mut self,
        topic: impl Into<String>,
        text: impl FnOnce(Vec<(K, V)>) -> String + Send + 'static,
    ) -> Self
    where
        K: HasSerde<Serde: Serde<K>>,
        V: HasSerde<Serde: Serde<V>>,
    {
        self.shows.push(show::Show::new(topic.into(), text));
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
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let program = program(&arguments);
        match Arguments::parse_from(arguments).command() {
            Command::Describe { format } => print::line(&describe(&self.topology, format)),
            Command::Check(deployment) => {
                exit_if_wrong(&program, &deployment, &self.topology);
                start_log();
                let report = job(self.topology, &deployment)?.check().await?;
                print::line(&report::text(&report))
            }
            Command::Run(run) => {
                exit_if_wrong(&program, &run.deployment, &self.topology);
                if let Some(reason) = self.wrong_lines(&run)? {
                    arguments::wrong(&program, reason).exit();
                }
                let bars = start_log();
                self.run_job(&run, &bars).await
            }
        }
    }

    /// Why the files for topics cannot be meant, as far as the arguments alone can tell.
    fn wrong_lines(&self, run: &RunArguments) -> Result<Option<String>> {
        let Some((topic, _)) = run.lines.first() else {
            return Ok(None);
        };
        if run.deployment.names_a_cluster()? {
            return Ok(Some(format!(
                "`--lines {topic}=..` fills the embedded Kafka, and this run is on a cluster; leave it out"
            )));
        }
        #[cfg(feature = "embedded")]
        return Ok(lines::refusal(&self.lines, &self.samples, &run.lines));
        #[cfg(not(feature = "embedded"))]
        return Ok(None);
    }

    async fn run_job(self, run: &RunArguments, bars: &Bars) -> Result<()> {
        if run.deployment.names_a_cluster()? {
            let job = job(self.topology, &run.deployment)?;
            let (summary, _) = run_until_stopped(job, run.end(), bars).await?;
            tell_summary(&summary);
            return Ok(());
        }
        #[cfg(feature = "embedded")]
        {
            let topology = run.deployment.apply(self.topology)?;
            let filling = lines::fill(self.lines, self.samples, &run.lines)?;
            let (samples, mut records) = (filling.samples, self.records);
            records.extend(filling.records);
            // Where nothing keeps coming there is nothing to wait for.
            let end = match samples.is_empty() && !records.is_empty() {
                true => End::UntilLatest,
                false => run.end(),
            };
            let kafka = quick_start::QuickStart::start(&topology, samples, records).await?;
            let deployment = run.deployment.on(kafka.bootstrap_servers());
            let properties = kafka.properties().clone();
            let feeding = kafka.feed(end)?;
            let job = job(topology.clone(), &deployment)?;
            let (summary, ended) = run_until_stopped(job, end, bars).await?;
            if ended == Ended::Stopped && !self.shows.is_empty() {
                print::line(&format!("\n{}", stopped::told(&properties, &topology)?))?;
            }
            for show in self.shows {
                show.print(&properties)?;
            }
            drop(feeding);
            tell_summary(&summary);
            Ok(())
        }
        #[cfg(not(feature = "embedded"))]
        Err(crate::Error::Configuration(
            "where is Kafka? `--bootstrap-servers HOST:PORT` says it; with the feature `embedded` of the `streams` crate a run without it starts a Kafka of its own".into(),
        ))
    }
}

/// What the first argument calls the program, as messages name it.
fn program(arguments: &[OsString]) -> String {
    let path = arguments.first().map(Path::new);
    let name = path.and_then(Path::file_name).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// As for every wrong argument: a message, and exit code 2.
fn exit_if_wrong(program: &str, deployment: &Deployment, topology: &Topology) {
    if let Err(error) = deployment.check(program, topology) {
        error.exit();
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

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    ByItself,
    Stopped,
}

async fn run_until_stopped(job: Job, end: End, bars: &Bars) -> Result<(Summary, Ended)> {
    let mut signals = Signals::listen()?;
    let job = match std::io::stderr().is_terminal() {
        true => {
            let bars = bars.clone();
            job.on_event(move |event| bars.hear(event))
        }
        false => job,
    };
    let job = match end {
        End::UntilLatest => job.until_latest(),
        End::WhenStopped => job,
    };
    let Some(started) = signals.or_started(job.start()).await else {
        return Ok((Summary::default(), Ended::Stopped));
    };
    let handle = started?;
    let listening = signals.stop(handle.stopper());
    let summary = handle.join().await;
    let ended = match listening.end() {
        true => Ended::Stopped,
        false => Ended::ByItself,
    };
    Ok((summary?, ended))
}

fn describe(topology: &Topology, format: DescribeFormat) -> String {
    let description = topology.describe();
    match format {
        DescribeFormat::Text => description.to_string(),
        DescribeFormat::Mermaid => description.mermaid(),
        DescribeFormat::Dot => description.dot(),
        DescribeFormat::Json => description.json(),
    }
}

fn tell_summary(summary: &Summary) {
    tracing::info!(
        "done: {} records in, {} records out, {} checkpoints, {} recoveries, {:.1} s",
        summary.processed,
        summary.written,
        summary.checkpoints,
        summary.recoveries,
        summary.took.as_secs_f64()
    );
}

/// Logs to standard error; `RUST_LOG` says more or less. A log that the program has set up itself stays.
fn start_log() -> Bars {
    let bars = Bars::default();
    // rdkafka's own wrapper complains about consumers that were already closed; the database tells what it opens.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,rdkafka=off,fjall=warn,lsm_tree=warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(bars.clone())
        .try_init();
    bars
}
