//! A job with much state in one store on disk: how soon it goes on after it was killed, with that state and without.

use crate::contestant::{Contestant, Run};
use crate::{Failure, feed, usage};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use streams_tests::TestCluster;
use tempfile::TempDir;

/// New records a second while the job is killed and started.
const LIVE_RATE: u64 = 1_000;

/// How long the job may take to its next output.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing that was committed takes longer to be seen.
const SILENCE: Duration = Duration::from_millis(500);

/// Keys of the job whose state is as good as empty.
const FEW_KEYS: u64 = 100;

/// What a job keeps, and how often it commits.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// The bytes of a value.
    #[arg(long, default_value_t = 1_300, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    value_bytes: u64,
    /// Time between checkpoints, in milliseconds.
    #[arg(long, default_value_t = 100)]
    interval_ms: u64,
}

/// Kills a job with so many megabytes of state while it works, and starts it again; beside it, one with none.
pub(crate) fn restart(state_mb: u64, kept: Kept, rounds: usize) -> Result<(), Failure> {
    let cluster = TestCluster::shared();
    let mut jobs = [
        StateJob::with_state(cluster, 0, kept)?,
        StateJob::with_state(cluster, state_mb, kept)?,
    ];
    println!(
        "{:>10}  {:>15}  {:>17}  {:>16}  {:>6}",
        "state MB", "s to new output", "changelog records", "changelog bytes", "load"
    );
    for _ in 0..rounds {
        for job in &mut jobs {
            job.kill_while_it_works()?;
            let seconds = job.start_until_new_output()?;
            let restored = job.kill()?;
            println!(
                "{:>10}  {seconds:>15.3}  {:>17}  {:>16}  {:>6.2}",
                job.state_mb,
                restored.records,
                restored.bytes,
                usage::load_average()?
            );
        }
    }
    Ok(())
}

/// Deletes the store of a job with so many megabytes of state, and starts it again; beside it, a bare consumer that reads the
/// changelog.
pub(crate) fn restore(state_mb: u64, kept: Kept, rounds: usize) -> Result<(), Failure> {
    let mut job = StateJob::with_state(TestCluster::shared(), state_mb, kept)?;
    println!(
        "{:>12}  {:>9}  {:>9}  {:>5}  {:>15}  {:>6}",
        "changelog MB", "bare MB/s", "restore", "ratio", "s to new output", "load"
    );
    for _ in 0..rounds {
        let changelog = job.kill_while_it_works()?.changelog;
        sync()?;
        let bare = job.read_bare(&changelog)?;
        std::fs::remove_dir_all(job.directory.path().join("stores"))?;
        let seconds = job.start_until_new_output()?;
        let restored = job.kill()?;
        println!(
            "{:>12.0}  {:>9.0}  {:>9.0}  {:>5.2}  {seconds:>15.3}  {:>6.2}",
            restored.bytes as f64 / 1e6,
            bare.mb_per_second(),
            restored.mb_per_second(),
            restored.mb_per_second() / bare.mb_per_second(),
            usage::load_average()?
        );
    }
    Ok(())
}

/// Waits until what was written so far is on disk: else the disk would be taking it while a restore is measured.
fn sync() -> Result<(), Failure> {
    let status = std::process::Command::new("sync").status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("sync: {status}").into()),
    }
}

/// What the contestant's last event of a restore told, or the bare consumer.
#[derive(Clone, Debug, Default)]
struct Restored {
    changelog: String,
    records: u64,
    bytes: u64,
    seconds: f64,
}

impl Restored {
    /// As [`crate::job::keep_newest`] prints it.
    fn parse(line: &str) -> Result<Self, Failure> {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [changelog, records, bytes, seconds] = fields.as_slice() else {
            return Err(format!("expected the event of a restore, found `{line}`").into());
        };
        Ok(Self {
            // Its only partition.
            changelog: changelog.trim_end_matches("-0").to_owned(),
            records: records.parse()?,
            bytes: bytes.parse()?,
            seconds: seconds.parse()?,
        })
    }

    fn mb_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds
    }
}

/// A job that keeps the newest value of each key, its topics of one partition, and who writes to it all the time.
struct StateJob {
    state_mb: u64,
    run: Run,
    directory: TempDir,
    process: Option<Child>,
    output: BaseConsumer,
    feeder: Feeder,
}

impl StateJob {
    /// Processes as many megabytes, each key once, and dies.
    fn with_state(cluster: &TestCluster, state_mb: u64, kept: Kept) -> Result<Self, Failure> {
        let value_bytes = usize::try_from(kept.value_bytes)?;
        let (input, output) = (cluster.topic("state-in", 1), cluster.topic("state-out", 1));
        let servers = cluster.bootstrap_servers();
        let keys = FEW_KEYS.max(state_mb * 1_000_000 / kept.value_bytes);
        println!("filling `{input}` with {keys} values of {value_bytes} bytes");
        feed::fill_values(servers, &input, keys, value_bytes)?;
        let directory = tempfile::tempdir()?;
        let run = Run::new(
            Contestant::StreamsState,
            servers,
            &input,
            &output,
            0,
            kept.interval_ms,
        )
        .with_state_dir(directory.path());
        let mut job = Self {
            state_mb,
            output: read_committed(servers, &output)?,
            feeder: Feeder::none(),
            run,
            directory,
            process: None,
        };
        let start = Instant::now();
        job.start()?;
        for _ in 0..keys {
            job.next_output()?;
        }
        println!(
            "processed after {:.1} s, in {}",
            start.elapsed().as_secs_f64(),
            job.directory.path().display()
        );
        job.kill()?;
        job.feeder = Feeder::start(servers.to_owned(), input, keys, value_bytes)?;
        Ok(job)
    }

    fn start(&mut self) -> Result<(), Failure> {
        self.process = Some(self.run.command()?.stdout(Stdio::piped()).spawn()?);
        Ok(())
    }

    /// `kill -9`; what it had told of its last restore.
    fn kill(&mut self) -> Result<Restored, Failure> {
        let mut process = self.process.take().ok_or("the job does not run")?;
        process.kill()?;
        process.wait()?;
        let told = process.stdout.take().ok_or("no standard output")?;
        match BufReader::new(told).lines().last() {
            Some(line) => Restored::parse(&line?),
            None => Err("the job was killed before it knew what to restore".into()),
        }
    }

    /// The changelog, read by a bare consumer in a process of its own.
    fn read_bare(&self, changelog: &str) -> Result<Restored, Failure> {
        let servers = &self.run.bootstrap_servers;
        let run = Run::new(Contestant::BareRead, servers, changelog, "", 0, 0);
        let output = run.command()?.stderr(Stdio::inherit()).output()?;
        Restored::parse(&String::from_utf8(output.stdout)?)
    }

    /// Sees new output for two seconds, and kills the job in the midst of that.
    fn kill_while_it_works(&mut self) -> Result<Restored, Failure> {
        self.start()?;
        self.next_output()?;
        let working = Instant::now();
        while working.elapsed() < Duration::from_secs(2) {
            self.next_output()?;
        }
        self.kill()
    }

    /// Seconds from the start of the process to the sight of the first record that it has committed.
    fn start_until_new_output(&mut self) -> Result<f64, Failure> {
        while self.has_output(SILENCE)? {}
        let start = Instant::now();
        self.start()?;
        self.next_output()?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn next_output(&mut self) -> Result<(), Failure> {
        match self.has_output(PATIENCE)? {
            true => Ok(()),
            false => Err(format!("no output of the job within {PATIENCE:?}").into()),
        }
    }

    /// Takes a record that was committed, where one comes in time.
    fn has_output(&mut self, patience: Duration) -> Result<bool, Failure> {
        let start = Instant::now();
        while start.elapsed() < patience {
            // It returns for other events of the client too.
            if let Some(message) = self.output.poll(Duration::from_millis(250)) {
                message?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Drop for StateJob {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn read_committed(servers: &str, topic: &str) -> Result<BaseConsumer, Failure> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "state")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&partitions)?;
    Ok(consumer)
}

/// Writes new values of keys that are there, until it is dropped.
struct Feeder {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    fn none() -> Self {
        Self {
            end: Arc::default(),
            thread: None,
        }
    }

    fn start(
        servers: String,
        topic: String,
        keys: u64,
        value_bytes: usize,
    ) -> Result<Self, Failure> {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let feed = move || {
            // Without new records the benchmark finds no new output, and says so.
            if let Err(error) =
                feed::values_at_rate(&servers, &topic, keys, value_bytes, LIVE_RATE, &ended)
            {
                eprintln!("writing to `{topic}`: {error}");
            }
        };
        let thread = std::thread::Builder::new()
            .name("feeder".to_owned())
            .spawn(feed)?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic was printed.
            let _ = thread.join();
        }
    }
}
