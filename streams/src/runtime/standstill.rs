//! Tasks with state that wait for an input which the group has given to nobody here: told once in a while, since it may stay so.

use super::thread::StreamThread;
use std::time::{Duration, Instant};

/// For so long a task waits, from the beginning or from when it was told last: a rebalance in steps takes less.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Since when tasks of a thread lack inputs, or when that was told last.
#[derive(Debug, Default)]
pub(super) struct Standstill(Option<Instant>);

impl Standstill {
    /// Whether it is time to tell that a task lacks an input at `now`.
    fn is_to_tell(&mut self, lacks: bool, now: Instant) -> bool {
        let since = match self.0 {
            Some(since) if lacks => since,
            _ => {
                self.0 = lacks.then_some(now);
                return false;
            }
        };
        let is_due = now.duration_since(since) >= TELL_EVERY;
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

impl StreamThread {
    /// Tells which tasks wait for an input, now and then.
    pub(super) fn tell_of_standstill(&mut self) {
        let tasks = &self.work.tasks;
        let waiting = tasks.waiting().into_iter();
        let lacking: Vec<_> = waiting
            .filter_map(|task| Some((task, tasks.lacking(task)?)))
            .collect();
        if !self
            .standstill
            .is_to_tell(!lacking.is_empty(), Instant::now())
        {
            return;
        }
        for (task, partition) in lacking {
            tracing::warn!(
                "thread {}: task {task} stands still: it has a state, to which {partition} belongs too, and the group has not \
                 given that to this member. Another instance may have it, which runs another version of the topology: let all \
                 instances run the same one, or stop those of before. If partitions were added, all topics that the task reads \
                 need as many",
                self.work.index
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_it_has_lasted_and_again_when_it_lasts_on() {
        let mut standstill = Standstill::default();
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        assert!(!standstill.is_to_tell(true, at(0)));
        assert!(!standstill.is_to_tell(true, at(29)));
        assert!(standstill.is_to_tell(true, at(30)));
        assert!(!standstill.is_to_tell(true, at(59)));
        assert!(standstill.is_to_tell(true, at(60)));
        assert!(!standstill.is_to_tell(false, at(95)));
        assert!(!standstill.is_to_tell(true, at(96)));
        assert!(standstill.is_to_tell(true, at(126)));
    }
}
