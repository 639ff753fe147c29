//! The recipe's copy of 100-byte strings, and counting by key, against a bare librdkafka loop, on the same broker in the same run.
//!
//! Each contestant runs in a process of its own, reads the same prefilled topic, and reports what it used:
//!
//! ```text
//! cargo run --release -p streams-benchmarks -- copy --records 4000000
//! TEST_KAFKA=jvm cargo run --release -p streams-benchmarks -- copy
//! cargo run --release -p streams-benchmarks -- count
//! cargo run --release -p streams-benchmarks -- latency
//! cargo run --release -p streams-benchmarks -- restart --state-mb 1024
//! cargo run --release -p streams-benchmarks -- restore --state-mb 412
//! ```
//!
//! `restart` kills a job with so much state in one store on disk while it works, and starts it again: seconds from the start of
//! the process to its first new committed output, and what it read of its changelog, beside a job whose state is empty.
//! `restore` starts it with its store deleted: megabytes a second from the changelog into the store, beside a bare consumer that
//! reads the same changelog and keeps nothing. Megabytes are 10^6 bytes of keys and values.

mod bare;
mod bare_read;
mod contestant;
mod feed;
mod job;
mod latency;
mod state;
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
    /// Throughput, CPU and memory of counting by key, exactly once, with every update in the output.
    Count {
        /// Records in the input.
        #[arg(long, default_value_t = 2_000_000)]
        records: u64,
        /// Different keys.
        #[arg(long, default_value_t = 100_000)]
        keys: u64,
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
    /// Time from the start of a job that was killed to its first new committed output, beside one without state.
    Restart {
        /// The state, in one store on disk, in megabytes (10^6 bytes).
        #[arg(long, default_value_t = 1_024)]
        state_mb: u64,
        #[command(flatten)]
        kept: state::Kept,
        /// How often each job is killed and started; they take turns.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Megabytes a second from a changelog into a store on disk that was deleted, beside a bare consumer.
    Restore {
        /// The state, in one store on disk, in megabytes (10^6 bytes).
        #[arg(long, default_value_t = 412)]
        state_mb: u64,
        #[command(flatten)]
        kept: state::Kept,
        /// How often the store is deleted and restored.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
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
        } => {
            let cluster = TestCluster::shared();
            let input = cluster.topic("bench-in", 4);
            println!("filling `{input}` with {records} strings of 100 bytes");
            feed::fill(cluster.bootstrap_servers(), &input, records)?;
            let contestants = [
                Contestant::Bare,
                Contestant::StreamsNoHeaders,
                Contestant::BareHeaders,
                Contestant::Streams,
            ];
            compare(cluster, &contestants, &input, records, interval_ms, rounds)
        }
        Command::Count {
            records,
            keys,
            interval_ms,
            rounds,
        } => {
            let cluster = TestCluster::shared();
            let input = cluster.topic("bench-in", 4);
            println!("filling `{input}` with {records} strings of 100 bytes, {keys} keys");
            feed::fill_keyed(cluster.bootstrap_servers(), &input, records, keys)?;
            let contestants = [
                Contestant::BareCount,
                Contestant::StreamsCountNoHeaders,
                Contestant::StreamsCount,
            ];
            compare(cluster, &contestants, &input, records, interval_ms, rounds)
        }
        Command::Latency {
            rate,
            seconds,
            interval_ms,
        } => latency::compare(rate, Duration::from_secs(seconds), interval_ms),
        Command::Restart {
            state_mb,
            kept,
            rounds,
        } => state::restart(state_mb, kept, rounds),
        Command::Restore {
            state_mb,
            kept,
            rounds,
        } => state::restore(state_mb, kept, rounds),
        Command::Contest(run) => run.contest(),
    }
}

fn compare(
    cluster: &TestCluster,
    contestants: &[Contestant],
    input: &str,
    records: u64,
    interval_ms: u64,
    rounds: usize,
) -> Result<(), Failure> {
    println!(
        "{:>24}  {:>12}  {:>14}  {:>12}",
        "", "records/s", "CPU s/million", "peak MB"
    );
    for _ in 0..rounds {
        for &contestant in contestants {
            let output = cluster.topic("bench-out", 4);
            let run = Run::new(
                contestant,
                cluster.bootstrap_servers(),
                input,
                &output,
                records,
                interval_ms,
            );
            let report = run.in_a_process_of_its_own()?;
            // The embedded broker keeps everything in memory, up to a limit.
            cluster.delete_topic(&output)?;
            println!(
                "{:>24}  {:>12.0}  {:>14.2}  {:>12.0}",
                contestant.name(),
                records as f64 / report.seconds,
                report.cpu_seconds / (records as f64 / 1e6),
                report.peak_mb
            );
        }
    }
    Ok(())
}
