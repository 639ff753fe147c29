//! What the broker takes: time to start, CPU and memory when idle and when used.

use std::fs;
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use streams_broker::EmbeddedKafka;

use crate::Failure;
use crate::wire::Wire;

/// Ticks of the CPU times in `/proc`, a second: fixed on Linux for user space.
const TICKS: f64 = 100.0;
const IDLE: Duration = Duration::from_secs(20);

/// From `EmbeddedKafka::start` to the first answer about its metadata, in this process.
pub(crate) fn start() -> Result<String, Failure> {
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        let kafka = EmbeddedKafka::start()?;
        Wire::to(kafka.bootstrap_servers())?.ask(12, &MetadataRequest::default())?;
        times.push(began.elapsed());
        kafka.shutdown();
    }
    times.sort_unstable();
    Ok(format!(
        "p50 {:.2?}, most {:.2?} of {}",
        times[times.len() / 2],
        times[times.len() - 1],
        times.len()
    ))
}

/// Asks once, so that a broker is measured that has been used.
pub(crate) fn warm_up(address: &str) -> Result<(), Failure> {
    Wire::to(address)?.ask(12, &MetadataRequest::default())?;
    Ok(())
}

/// CPU and memory of a process that does nothing.
pub(crate) fn idle(process: u32) -> Result<String, Failure> {
    let before = cpu_seconds(process)?;
    std::thread::sleep(IDLE);
    let cpu = cpu_seconds(process)? - before;
    Ok(format!(
        "{cpu:.2} s of CPU in {IDLE:?}, {:.1} MB",
        megabytes(process, "VmRSS")?
    ))
}

/// CPU and memory of a process so far.
pub(crate) fn used(process: u32) -> Result<String, Failure> {
    Ok(format!(
        "{:.1} s of CPU, at most {:.0} MB",
        cpu_seconds(process)?,
        megabytes(process, "VmHWM")?
    ))
}

/// The processes that one has started, and theirs: Apache Kafka, where it runs for this measurement.
pub(crate) fn descendants(process: u32) -> Result<Vec<u32>, Failure> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let children = fs::read_to_string(task?.path().join("children"))?;
        for child in children.split_whitespace() {
            let child = child.parse()?;
            found.push(child);
            found.extend(descendants(child)?);
        }
    }
    Ok(found)
}

/// CPU seconds of a process so far.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no process name in its stat")?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS)
}

fn megabytes(process: u32, name: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kb: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no size in its status")?
        .parse()?;
    Ok(kb / 1024.0)
}
