//! The broker's clock: the only source of time for every deadline it keeps.
//!
//! Time is milliseconds since the Unix epoch. It advances with the machine's monotonic clock, so a change of the wall
//! clock never expires a session; tests move it forward by hand, never backward.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
pub(crate) type Millis = i64;

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Wall-clock time when it was made, plus monotonic time since, plus what tests added.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// Since the Unix epoch.
    origin: Duration,
    moved: Millis,
}

impl Clock {
    pub(crate) fn new() -> Self {
        // First, so that what is added to the origin is never too little.
        let started = Instant::now();
        let origin = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started,
            origin: origin.unwrap_or_default(),
            moved: 0,
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Millis {
        let time = self.origin.saturating_add(self.started.elapsed());
        millis(time).saturating_add(self.moved)
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.moved = self.moved.saturating_add(millis(by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_behind_the_wall_clock() {
        let wall = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, millis)
        };
        for _ in 0..200 {
            let clock = Clock::new();
            std::thread::sleep(Duration::from_micros(300));
            let before = wall();
            assert!(clock.now() >= before);
        }
    }

    #[test]
    fn moves_forward_when_told() {
        let mut clock = Clock::new();
        let before = clock.now();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now() >= before + 3_600_000);
    }
}
