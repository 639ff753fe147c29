//! One run of one contestant, in a process of its own.

use crate::{Failure, bare, bare_read, job, usage};
use clap::{Args, ValueEnum};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Who works, and at what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// A loop over librdkafka's fastest calls.
    Bare,
    /// The bare loop, which looks for headers too.
    BareHeaders,
    /// A job of this library, which takes headers along.
    Streams,
    /// A job of this library whose source ignores headers, as the bare loop does.
    StreamsNoHeaders,
    /// The bare loop, with counts in a map in memory that dies with it.
    BareCount,
    /// A job of this library that counts by key, on disk, with a changelog, and takes headers along.
    StreamsCount,
    /// The same job, whose source ignores headers, as the bare loop does.
    StreamsCountNoHeaders,
    /// A job of this library that keeps the newest value of each key on disk, in a directory that outlives the process.
    StreamsState,
    /// A loop over librdkafka's fastest calls that only reads.
    BareRead,
}

impl Contestant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Contestant::Bare => "bare",
            Contestant::BareHeaders => "bare-headers",
            Contestant::Streams => "streams",
            Contestant::StreamsNoHeaders => "streams-no-headers",
            Contestant::BareCount => "bare-count",
            Contestant::StreamsCount => "streams-count",
            Contestant::StreamsCountNoHeaders => "streams-count-no-headers",
            Contestant::StreamsState => "streams-state",
            Contestant::BareRead => "bare-read",
        }
    }
}

/// What a contestant is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Run {
    #[arg(long, value_enum)]
    pub(crate) contestant: Contestant,
    #[arg(long)]
    pub(crate) bootstrap_servers: String,
    #[arg(long)]
    pub(crate) input: String,
    #[arg(long)]
    pub(crate) output: String,
    /// Ends after so many records; 0: when it is killed.
    #[arg(long)]
    pub(crate) records: u64,
    #[arg(long)]
    pub(crate) interval_ms: u64,
    /// Where its state is; default: in a directory that is deleted when it ends.
    #[arg(long)]
    pub(crate) state_dir: Option<PathBuf>,
}

/// What a contestant used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// From the assignment of the partitions to the last commit.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mb: f64,
}

impl Run {
    pub(crate) fn new(
        contestant: Contestant,
        servers: &str,
        input: &str,
        output: &str,
        records: u64,
        interval_ms: u64,
    ) -> Self {
        Self {
            contestant,
            bootstrap_servers: servers.to_owned(),
            input: input.to_owned(),
            output: output.to_owned(),
            records,
            interval_ms,
            state_dir: None,
        }
    }

    pub(crate) fn with_state_dir(mut self, directory: &Path) -> Self {
        self.state_dir = Some(directory.to_path_buf());
        self
    }

    pub(crate) fn command(&self) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["contest", "--contestant", self.contestant.name()]);
        command.args([
            "--bootstrap-servers",
            &self.bootstrap_servers,
            "--input",
            &self.input,
            "--output",
            &self.output,
        ]);
        command.args([
            "--records",
            &self.records.to_string(),
            "--interval-ms",
            &self.interval_ms.to_string(),
        ]);
        if let Some(directory) = &self.state_dir {
            command.arg("--state-dir").arg(directory);
        }
        Ok(command)
    }

    pub(crate) fn in_a_process_of_its_own(&self) -> Result<Report, Failure> {
        let output = self.command()?.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers = text
            .split_whitespace()
            .map(str::parse::<f64>)
            .collect::<Result<Vec<_>, _>>()?;
        match numbers.as_slice() {
            [seconds, cpu_seconds, peak_mb] => Ok(Report {
                seconds: *seconds,
                cpu_seconds: *cpu_seconds,
                peak_mb: *peak_mb,
            }),
            _ => Err(format!(
                "{} ended with {}: {text}",
                self.contestant.name(),
                output.status
            )
            .into()),
        }
    }

    /// In the contestant's process: runs, and prints what it used.
    pub(crate) fn contest(&self) -> Result<(), Failure> {
        let seconds = match self.contestant {
            Contestant::Bare => bare::run(self, bare::Work::Copy)?,
            Contestant::BareHeaders => bare::run(self, bare::Work::CopyWithHeaders)?,
            Contestant::Streams => job::copy(self)?,
            Contestant::StreamsNoHeaders => job::copy_without_headers(self)?,
            Contestant::BareCount => bare::run(self, bare::Work::Count(HashMap::new()))?,
            Contestant::StreamsCount => job::count(self)?,
            Contestant::StreamsCountNoHeaders => job::count_without_headers(self)?,
            Contestant::StreamsState => return job::keep_newest(self),
            Contestant::BareRead => return bare_read::run(self),
        };
        println!("{seconds} {} {}", usage::cpu_seconds()?, usage::peak_mb()?);
        Ok(())
    }
}
