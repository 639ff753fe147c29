//! The recipe's copy of 100-byte strings against a bare librdkafka loop, on the same broker in the same run.
//!
//! Each contestant runs in a process of its own, reads the same prefilled topic, and reports what it used:
//!
//! ```text
//! cargo run --release -p streams-benchmarks -- copy --records 4000000
//! TEST_KAFKA=jvm cargo run --release -p streams-benchmarks -- copy
//! cargo run --release -p streams-benchmarks -- latency
//! ```

mod bare;
mod contestant;
mod feed;
mod job;
mod latency;
mod usage;

use clap::{Parser, Subcommand};
use contestant::{Contestant, Run};
use std::time::Duration;
use streams_tests::TestCluster;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Benchmarks of `streams`, each with its baseline in the same run.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Throughput, CPU and memory of copying a topic, exactly once.
    Copy {
        /// Records in the input.
        #[arg(long, default_value_t = 4_000_000)]
        records: u64,
        /// Time between checkpoints, in milliseconds.
        #[arg(long, default_value_t = 1_000)]
        interval_ms: u64,
        /// How often each contestant runs; they take turns.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Time from a record's timestamp to its sight by a read-committed consumer.
    Latency {
        /// Records a second.
        #[arg(long, default_value_t = 1_000)]
        rate: u64,
        /// Measured for so many seconds.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Time between checkpoints, in milliseconds.
        #[arg(long, default_value_t = 100)]
        interval_ms: u64,
    },
    /// A contestant's own process; started by the other commands.
    #[command(hide = true)]
    Contest(Run),
}

fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Copy {
            records,
            interval_ms,
            rounds,
        } => copy(records, interval_ms, rounds),
        Command::Latency {
            rate,
            seconds,
            interval_ms,
        } => latency::compare(rate, Duration::from_secs(seconds), interval_ms),
        Command::Contest(run) => run.contest(),
    }
}

fn copy(records: u64, interval_ms: u64, rounds: usize) -> Result<(), Failure> {
    let cluster = TestCluster::shared();
    let input = cluster.topic("bench-in", 4);
    println!("filling `{input}` with {records} strings of 100 bytes");
    feed::fill(cluster.bootstrap_servers(), &input, records)?;
    println!(
        "{:>8}  {:>12}  {:>14}  {:>12}",
        "", "records/s", "CPU s/million", "peak MB"
    );
    for _ in 0..rounds {
        for contestant in [Contestant::Bare, Contestant::Streams] {
            let output = cluster.topic("bench-out", 4);
            let run = Run::copy(
                contestant,
                cluster.bootstrap_servers(),
                &input,
                &output,
                records,
                interval_ms,
            );
            let report = run.in_a_process_of_its_own()?;
            println!(
                "{:>8}  {:>12.0}  {:>14.2}  {:>12.0}",
                contestant.name(),
                records as f64 / report.seconds,
                report.cpu_seconds / (records as f64 / 1e6),
                report.peak_mb
            );
        }
    }
    Ok(())
}
