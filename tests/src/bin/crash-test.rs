//! The crash test in its long form:
//! `TEST_KAFKA=jvm cargo run -p streams-tests --bin crash-test -- --duration 2min --seed 7 --records 200000`; with
//! `--work count-words --threads 2`, `--work add-rows --threads 2` or `--work flight-delays --threads 2` for a job with state.

use std::time::Duration;

use clap::Parser;
use streams_tests::TestCluster;
use streams_tests::crash::{Plan, Work, run};

/// Kills, freezes and restarts instances of a job while a producer writes, and recounts what they wrote.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long the blows go on, such as 30s or 2min.
    #[arg(long, default_value = "2min", value_parser = duration)]
    duration: Duration,
    /// Decides who is hit when, and how.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many records are written meanwhile.
    #[arg(long, default_value_t = 200_000)]
    records: usize,
    /// Partitions of the input topic.
    #[arg(long, default_value_t = 6)]
    partitions: i32,
    /// Processes of the job.
    #[arg(long, default_value_t = 3)]
    instances: usize,
    /// Stream threads of each process.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// What the job does: `copy`, or with state `count-words`, `add-rows` or `flight-delays`.
    #[arg(long, default_value = "copy", value_parser = work)]
    work: Work,
}

fn work(text: &str) -> Result<Work, String> {
    match text {
        "copy" => Ok(Work::Copy),
        "count-words" => Ok(Work::CountWords),
        "add-rows" => Ok(Work::AddRows),
        "flight-delays" => Ok(Work::FlightDelays),
        _ => Err(format!(
            "`{text}`: use `copy`, `count-words`, `add-rows` or `flight-delays`"
        )),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    streams::rules::parse_duration(text).map_err(|error| error.to_string())
}

fn main() -> std::io::Result<()> {
    let Arguments {
        duration,
        seed,
        records,
        partitions,
        instances,
        threads,
        work,
    } = Arguments::parse();
    // Cargo builds all binaries of a package into one directory; `--bins` or a test run has built this one.
    let job = std::env::current_exe()?.with_file_name(work.program());
    if !job.exists() {
        return Err(std::io::Error::other(format!(
            "{} is missing: build with `--bins`",
            job.display()
        )));
    }
    run(
        &TestCluster::start_replicated(),
        &job,
        &Plan {
            duration,
            seed,
            records,
            partitions,
            instances,
            threads,
            work,
        },
    );
    println!("crash test: passed");
    Ok(())
}
