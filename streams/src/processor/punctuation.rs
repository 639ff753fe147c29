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
    /// `None` where it would be behind the last time that there is.
    next: Option<i64>,
    interval: i64,
}

/// The punctuators of a task
/// (`org.apache.kafka.streams.processor.internals.PunctuationQueue`).
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    entries: Vec<Entry>,
    made: u64,
    /// When the first one by stream time is due: all that a record has to look at.
    next_stream_time: Option<i64>,
    next_wall_clock: Option<i64>,
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
            next: Some(first),
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
        let by_stream_time = self.next_stream_time.zip(stream_time);
        by_stream_time.is_some_and(|(next, time)| time >= next)
            || self.next_wall_clock.is_some_and(|next| wall_clock >= next)
    }

    /// When the next punctuator by the wall clock is due, in milliseconds since the epoch; `i64::MAX` if there is none.
    pub(crate) fn next_wall_clock(&self) -> i64 {
        self.next_wall_clock.unwrap_or(i64::MAX)
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
            .filter_map(|entry| Some((now(entry)?, entry.next?, entry)))
            .filter(|(now, next, _)| next <= now)
            .min_by_key(|(_, next, entry)| (*next, entry.id))
            .map(|(time, next, entry)| {
                entry.next = entry.after(next, time);
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
            of_kind.filter_map(|entry| entry.next).min()
        };
        self.next_stream_time = next(PunctuationType::StreamTime);
        self.next_wall_clock = next(PunctuationType::WallClockTime);
    }
}

impl Entry {
    /// The first time after `now` that is a whole number of intervals after the last one.
    fn after(&self, last: i64, now: i64) -> Option<i64> {
        // Records and starts may have any timestamp: what is in between may be more than an `i64` holds.
        let (last, now, interval) = (i128::from(last), i128::from(now), i128::from(self.interval));
        let passed = (now - last) / interval;
        i64::try_from(last + (passed + 1) * interval).ok()
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
    fn a_time_behind_which_there_is_none_is_the_last_one() {
        for (clock, interval) in [
            (i64::MAX, TEN),
            (i64::MAX - 3, TEN),
            (i64::MAX, Duration::MAX),
            (i64::MAX, Duration::ZERO),
        ] {
            for kind in [PunctuationType::StreamTime, PunctuationType::WallClockTime] {
                let mut schedules = Schedules::default();
                schedules.add(kind, 0, interval, own(1));
                let due = std::iter::from_fn(|| schedules.take_due(Some(clock), clock));
                assert_eq!(due.take(3).count(), 1, "{clock} {interval:?}");
                assert!(!schedules.is_due(Some(clock), clock));
            }
        }
        assert!(!Schedules::default().is_due(Some(i64::MAX), i64::MAX));
    }

    #[test]
    fn a_start_in_the_farthest_past_is_due_once() {
        let mut schedules = Schedules::default();
        let first = Duration::from_millis(1);
        schedules.add(PunctuationType::StreamTime, i64::MIN, first, own(1));
        assert_eq!(times(&mut schedules, Some(i64::MAX - 1), 0), [1]);
        assert_eq!(times(&mut schedules, Some(i64::MAX), 0), [1]);
    }

    #[test]
    fn the_longest_interval_is_one_punctuation_by_stream_time_and_none_by_the_wall_clock() {
        let mut schedules = Schedules::default();
        for (n, kind) in [PunctuationType::StreamTime, PunctuationType::WallClockTime]
            .into_iter()
            .enumerate()
        {
            schedules.add_aligned(kind, 1_000, Duration::MAX, own(n));
        }
        assert_eq!(times(&mut schedules, Some(7), i64::MAX - 1), [0]);
        assert_eq!(
            times(&mut schedules, Some(i64::MAX - 1), i64::MAX - 1),
            [0; 0]
        );
    }

    #[test]
    fn the_longest_due_is_the_first() {
        let mut schedules = Schedules::default();
        schedules.add(PunctuationType::StreamTime, 8, TEN, own(1));
        schedules.add(PunctuationType::StreamTime, 3, TEN, own(2));
        assert_eq!(times(&mut schedules, Some(9), 0), [2, 1]);
    }
}
