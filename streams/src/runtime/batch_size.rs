//! How many records are read at once: no more than are processed in a moment.
//!
//! Between two batches rebalances are answered and a stop is noticed, so one must not take long, however slow user code is.

use crate::kafka::consumer::BATCH;
use std::time::Duration;

/// A job begins with this many: nothing is known of its user code yet.
const FIRST: usize = 100;

/// A batch that takes longer is followed by a smaller one.
const LONG: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct BatchSize(usize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl BatchSize {
    pub(super) fn get(&self) -> usize {
        self.0
    }

    /// Learns from a batch of `records`.
    pub(super) fn took(&mut self, records: usize, time: Duration) {
        if time > LONG {
            self.0 = (records / 2).max(1);
        } else if time < LONG / 2 && records == self.0 {
            self.0 = (self.0 * 2).min(BATCH);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(batches: usize, per_record: Duration) -> usize {
        let mut size = BatchSize::default();
        for _ in 0..batches {
            let records = size.get();
            size.took(
                records,
                per_record * u32::try_from(records).unwrap_or(u32::MAX),
            );
        }
        size.get()
    }

    #[test]
    fn fast_code_gets_full_batches() {
        assert_eq!(after(5, Duration::from_micros(1)), BATCH);
    }

    #[test]
    fn slow_code_gets_as_many_as_it_does_in_half_a_second() {
        assert_eq!(after(10, Duration::from_millis(30)), 12);
        assert_eq!(after(10, Duration::from_secs(2)), 1);
    }

    #[test]
    fn a_batch_that_was_not_full_says_nothing_of_a_larger_one() {
        let mut size = BatchSize::default();
        size.took(FIRST - 1, Duration::ZERO);
        assert_eq!(size.get(), FIRST);
    }
}
