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

    /// Learns from a transaction: so long after its last record was written, it was committed.
    pub(super) fn committed(&mut self, bytes: usize, took: Duration) {
        if took > self.timeout / 4 {
            self.limit = (self.limit / 2).max(LEAST);
        } else if self.is_reached(bytes) && took < self.timeout / 16 {
            self.limit = (self.limit * 2).min(MOST);
        }
    }

    /// Learns from a transaction that was aborted; a small one was not so for its size.
    pub(super) fn aborted(&mut self, bytes: usize) {
        if bytes >= self.limit / 4 {
            self.limit = (self.limit / 4).max(LEAST);
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
                size.committed(bytes, last);
            } else {
                aborted += 1;
                size.aborted(bytes);
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
    fn what_takes_long_however_little_it_is_does_not_make_transactions_ever_smaller() {
        let mut size = TransactionSize::new(Duration::from_secs(10));
        for _ in 0..20 {
            size.committed(size.limit, Duration::from_secs(2));
        }
        assert_eq!(size.limit, 10 << 20);
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
        size.aborted(1_000);
        size.committed(1_000, Duration::from_millis(5));
        assert_eq!(size.limit, 60 << 20);
    }
}
