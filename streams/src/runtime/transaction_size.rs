//! How much one transaction holds at the most: what the brokers take on long before it times out, however much waits in the
//! input. Under at-least-once the same holds for a checkpoint.
//!
//! How fast they take it is not known before they have done so. It begins with what slow ones manage, grows where full
//! transactions are through soon, and shrinks where one has taken long or has failed.

use std::time::Duration;

/// How much a second the brokers are trusted with at first.
const AT_FIRST: usize = 1 << 20;

/// As much is committed by brokers of any kind.
const LEAST: usize = 256 << 10;

/// As much is in memory of the client.
const MOST: usize = 256 << 20;

/// Why a transaction is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It holds as much as it may, or will with what is written to changelogs: an estimate, of which less may come.
    Full,
    /// The time is over, or there is nothing more to do.
    Due,
}

#[derive(Debug)]
pub(super) struct TransactionSize {
    limit: usize,
    timeout: Duration,
}

impl TransactionSize {
    /// For transactions with this timeout.
    pub(super) fn new(timeout: Duration) -> Self {
        let seconds = usize::try_from(timeout.as_secs()).unwrap_or(usize::MAX);
        Self {
            limit: seconds.saturating_mul(AT_FIRST).clamp(LEAST, MOST),
            timeout,
        }
    }

    /// Whether a transaction of so many bytes should be committed now.
    #[inline]
    pub(super) fn is_reached(&self, bytes: usize) -> bool {
        bytes >= self.limit
    }

    /// Learns from a transaction of so many bytes, whose commit took so long.
    pub(super) fn committed(&mut self, bytes: usize, why: Why, took: Duration) {
        if took > self.timeout / 4 && bytes >= self.limit / 4 {
            self.limit = (self.limit / 2).max(LEAST);
        } else if why == Why::Full && took < self.timeout / 16 {
            self.limit = (self.limit * 2).min(MOST);
        }
    }

    /// Learns from a transaction of so many bytes that was aborted after so long. One that was open for long may have been
    /// too large, however much a larger one was once.
    pub(super) fn aborted(&mut self, bytes: usize, after: Duration) {
        if after > self.timeout / 4 {
            self.limit = (bytes / 4).clamp(LEAST, self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full transactions with brokers that take so many bytes a second: how many were aborted, and how long the last one has
    /// taken.
    fn run(size: &mut TransactionSize, rate: usize, transactions: usize) -> (usize, Duration) {
        let (mut aborted, mut last) = (0, Duration::ZERO);
        for _ in 0..transactions {
            let bytes = size.limit;
            last = Duration::from_secs_f64(bytes as f64 / rate as f64);
            if last < size.timeout {
                size.committed(bytes, Why::Full, last);
            } else {
                aborted += 1;
                size.aborted(bytes, size.timeout);
            }
        }
        (aborted, last)
    }

    #[test]
    fn slow_brokers_get_what_they_can_commit() {
        for timeout in [1, 10, 60, 600].map(Duration::from_secs) {
            for rate in [2 << 20, 10 << 20] {
                let mut size = TransactionSize::new(timeout);
                let (aborted, last) = run(&mut size, rate, 20);
                assert_eq!(aborted, 0, "{timeout:?} {rate}");
                assert!(last <= timeout / 4, "{timeout:?} {rate}: {last:?}");
            }
        }
    }

    #[test]
    fn slower_ones_than_any_should_be_are_found_out() {
        let mut size = TransactionSize::new(Duration::from_secs(60));
        let (aborted, _) = run(&mut size, 100 << 10, 20);
        assert!(aborted <= 2, "{aborted}");
    }

    #[test]
    fn a_broker_that_stands_still_for_a_while_does_not_make_small_transactions_smaller() {
        let mut size = TransactionSize::new(Duration::from_secs(10));
        for _ in 0..20 {
            size.committed(1_000, Why::Due, Duration::from_secs(3));
        }
        assert_eq!(size.limit, 10 << 20);
    }

    #[test]
    fn brokers_that_become_slow_are_noticed_by_what_is_far_below_the_limit() {
        let mut size = TransactionSize::new(Duration::from_secs(10));
        run(&mut size, 400 << 20, 10);
        assert_eq!(size.limit, MOST);
        size.aborted(40 << 20, Duration::from_secs(10));
        assert_eq!(size.limit, 10 << 20);
    }

    #[test]
    fn less_may_come_than_was_estimated() {
        let mut size = TransactionSize::new(Duration::from_secs(10));
        for _ in 0..10 {
            size.committed(size.limit * 7 / 10, Why::Full, Duration::from_millis(10));
        }
        assert_eq!(size.limit, MOST);
    }

    #[test]
    fn fast_brokers_get_much_at_once() {
        let mut size = TransactionSize::new(Duration::from_secs(60));
        run(&mut size, 400 << 20, 5);
        assert_eq!(size.limit, MOST);
    }

    #[test]
    fn what_fails_for_another_reason_costs_nothing() {
        let mut size = TransactionSize::new(Duration::from_secs(60));
        size.aborted(50 << 20, Duration::from_secs(1));
        size.committed(1_000, Why::Due, Duration::from_millis(5));
        assert_eq!(size.limit, 60 << 20);
    }
}
