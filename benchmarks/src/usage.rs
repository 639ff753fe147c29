//! What this process has used so far, as Linux tells it.

use crate::Failure;

/// Ticks of the CPU times in `/proc/self/stat`, a second: fixed on Linux for user space.
const TICKS: f64 = 100.0;

/// CPU seconds of all threads of this process, user and system.
pub(crate) fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat
        .rsplit_once(')')
        .ok_or("no process name in /proc/self/stat")?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>)
        .sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS)
}

/// The largest resident size of this process so far, in megabytes.
pub(crate) fn peak_mb() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM in /proc/self/status")?;
    let kb: f64 = line.split_whitespace().next().ok_or("no size")?.parse()?;
    Ok(kb / 1024.0)
}

/// Threads that run or want to, on this machine, in the last minute.
pub(crate) fn load_average() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let first = text.split_whitespace().next().ok_or("no load average")?;
    Ok(first.parse()?)
}
