//! What the stores of a process take up: told with its first checkpoint, and once a minute from then on.

use super::event::Event;
use super::shared::Shared;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const TELL_EVERY: Duration = Duration::from_secs(60);

/// When it was told last.
#[derive(Default)]
pub(crate) struct DiskUse {
    told: Mutex<Option<Instant>>,
}

impl DiskUse {
    fn is_due(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if due {
            *told = Some(Instant::now());
        }
        due
    }
}

impl Shared {
    /// After a checkpoint, of whichever thread; silent where nothing is on disk.
    pub(super) fn tell_disk_use(&self) {
        if !self.states.are_on_disk() || !self.disk_use.is_due() {
            return;
        }
        match self.states.disk_use() {
            Ok(bytes) => self.tell(&Event::DiskUse {
                bytes,
                open_files: open_files(),
            }),
            Err(error) => tracing::warn!(%error, "what the stores take up is not known"),
        }
    }
}

/// The files that this process has open, sockets among them, where the system tells.
fn open_files() -> Option<usize> {
    let open = ["/proc/self/fd", "/dev/fd"].iter();
    open.filter_map(|directory| std::fs::read_dir(directory).ok())
        .map(Iterator::count)
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_after_a_while() {
        let disk_use = DiskUse::default();
        assert!(disk_use.is_due());
        assert!(!disk_use.is_due());
    }
}
