//! Punctuators: what a processor does by the clock, and not for a record.

use std::time::Duration;

/// The clock of a punctuator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PunctuationType {
    /// The largest timestamp of the records that the task has read, also before a restart: it stands still while nothing is read.
    StreamTime,
    /// The system's clock.
    WallClockTime,
}

/// A punctuator that was scheduled, by which it can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Schedule(u64);

/// A punctuator that a processor has made in its `init`, to schedule it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PunctuatorId {
    /// The slot of its processor.
    pub(super) processor: usize,
    /// The processor's own number of it.
    pub(super) callback: usize,
}

/// A punctuator that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The slot of its processor.
    pub(crate) processor: usize,
    /// The processor's own number of what is to be called.
    pub(crate) callback: usize,
    /// The time that it is told: the clock's, and not the one at which it was due.
    pub(crate) time: i64,
}

/// A punctuator, and when it is due next.
#[derive(Debug)]
struct Entry {
    id: u64,
    kind: PunctuationType,
    processor: usize,
    callback: usize,
    next: i64,
    interval: i64,
}

/// The punctuators of a task
/// (`org.apache.kafka.streams.processor.internals.PunctuationQueue`).
#[derive(Debug)]
pub(crate) struct Schedules {
    entries: Vec<Entry>,
    made: u64,
    /// When the first one by stream time is due: all that a record has to look at.
    next_stream_time: i64,
    next_wall_clock: i64,
}

impl Default for Schedules {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            made: 0,
            next_stream_time: i64::MAX,
            next_wall_clock: i64::MAX,
        }
    }
}

impl Schedules {
    /// Schedules a punctuator for the first time at `first`, and then every `interval`.
    pub(crate) fn add(
        &mut self,
        kind: PunctuationType,
        first: i64,
        interval: Duration,
        punctuator: PunctuatorId,
    ) -> Schedule {
        self.made += 1;
        self.entries.push(Entry {
            id: self.made,
            kind,
            processor: punctuator.processor,
            callback: punctuator.callback,
            next: first,
            interval: millis(interval),
        });
        self.look_ahead();
        Schedule(self.made)
    }

    /// Schedules a punctuator as its clock has it. Stream time is aligned to zero, so that its next record is a punctuation;
    /// the wall clock waits for an interval (`org.apache.kafka.streams.processor.internals.StreamTask#schedule`).
    pub(crate) fn add_aligned(
        &mut self,
        kind: PunctuationType,
        wall_clock: i64,
        interval: Duration,
        punctuator: PunctuatorId,
    ) -> Schedule {
        let first = match kind {
            PunctuationType::StreamTime => 0,
            PunctuationType::WallClockTime => wall_clock.saturating_add(millis(interval)),
        };
        self.add(kind, first, interval, punctuator)
    }

    /// Forgets a punctuator. Nothing happens if it was cancelled before.
    pub(crate) fn cancel(&mut self, schedule: Schedule) {
        self.entries.retain(|entry| entry.id != schedule.0);
        self.look_ahead();
    }

    /// Whether a punctuator is due.
    #[inline]
    pub(crate) fn is_due(&self, stream_time: Option<i64>, wall_clock: i64) -> bool {
        stream_time.is_some_and(|time| time >= self.next_stream_time)
            || wall_clock >= self.next_wall_clock
    }

    /// When the next punctuator by the wall clock is due, in milliseconds since the epoch; `i64::MAX` if there is none.
    pub(crate) fn next_wall_clock(&self) -> i64 {
        self.next_wall_clock
    }

    /// Takes the punctuator that has been due for the longest time, and schedules its next time: one that fails is not due
    /// again at once. However far the clock went, each is due once.
    pub(crate) fn take_due(&mut self, stream_time: Option<i64>, wall_clock: i64) -> Option<Due> {
        let now = |entry: &Entry| match entry.kind {
            PunctuationType::StreamTime => stream_time,
            PunctuationType::WallClockTime => Some(wall_clock),
        };
        let due = self
            .entries
            .iter_mut()
            .filter_map(|entry| Some((now(entry)?, entry)))
            .filter(|(now, entry)| entry.next <= *now)
            .min_by_key(|(_, entry)| (entry.next, entry.id))
            .map(|(time, entry)| {
                entry.pass(time);
                Due {
                    processor: entry.processor,
                    callback: entry.callback,
                    time,
                }
            });
        self.look_ahead();
        due
    }

    fn look_ahead(&mut self) {
        let next = |kind| {
            let of_kind = self.entries.iter().filter(|entry| entry.kind == kind);
            of_kind.map(|entry| entry.next).min().unwrap_or(i64::MAX)
        };
        self.next_stream_time = next(PunctuationType::StreamTime);
        self.next_wall_clock = next(PunctuationType::WallClockTime);
    }
}

impl Entry {
    /// The first time after `now` that is a whole number of intervals after the last one.
    fn pass(&mut self, now: i64) {
        let passed = now.saturating_sub(self.next) / self.interval;
        let intervals = self.interval.saturating_mul(passed.saturating_add(1));
        self.next = self.next.saturating_add(intervals);
    }
}

/// An interval in milliseconds. A shorter one would be due for ever.
pub(crate) fn millis(interval: Duration) -> i64 {
    i64::try_from(interval.as_millis())
        .unwrap_or(i64::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_millis(10);

    fn own(callback: usize) -> PunctuatorId {
        PunctuatorId {
            processor: 0,
            callback,
        }
    }

    fn times(schedules: &mut Schedules, stream_time: Option<i64>, wall_clock: i64) -> Vec<usize> {
        let due = std::iter::from_fn(|| schedules.take_due(stream_time, wall_clock));
        due.map(|due| due.callback).collect()
    }

    #[test]
    fn a_jump_is_one_punctuation_and_the_next_is_on_the_grid() {
        let mut schedules = Schedules::default();
        schedules.add(PunctuationType::StreamTime, 0, TEN, own(7));
        assert!(times(&mut schedules, None, 1_000).is_empty());
        assert_eq!(times(&mut schedules, Some(39), 0), [7]);
        assert!(times(&mut schedules, Some(39), 0).is_empty());
        assert!(!schedules.is_due(Some(39), 0));
        assert!(schedules.is_due(Some(40), 0));
    }

    #[test]
    fn each_clock_moves_its_own() {
        let mut schedules = Schedules::default();
        schedules.add(PunctuationType::StreamTime, 0, TEN, own(1));
        schedules.add(PunctuationType::WallClockTime, 5, TEN, own(2));
        assert_eq!(schedules.next_wall_clock(), 5);
        assert_eq!(times(&mut schedules, None, 4), [0; 0]);
        assert_eq!(times(&mut schedules, None, 5), [2]);
        assert_eq!(times(&mut schedules, Some(3), 14), [1]);
        assert_eq!(times(&mut schedules, Some(3), 15), [2]);
    }

    #[test]
    fn what_is_cancelled_is_not_due_any_more() {
        let mut schedules = Schedules::default();
        let one = schedules.add(PunctuationType::WallClockTime, 0, TEN, own(1));
        schedules.add(PunctuationType::WallClockTime, 0, TEN, own(2));
        schedules.cancel(one);
        assert_eq!(times(&mut schedules, None, 0), [2]);
        assert_eq!(times(&mut schedules, None, 100), [2]);
    }

    #[test]
    fn the_longest_due_is_the_first() {
        let mut schedules = Schedules::default();
        schedules.add(PunctuationType::StreamTime, 8, TEN, own(1));
        schedules.add(PunctuationType::StreamTime, 3, TEN, own(2));
        assert_eq!(times(&mut schedules, Some(9), 0), [2, 1]);
    }
}
