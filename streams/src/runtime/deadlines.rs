//! When the next checkpoint is due: after the interval, and long before the transaction times out.

use std::time::Duration;

/// Times of the job's clock, in milliseconds.
pub(super) struct Deadlines {
    interval: u64,
    /// The part of the transaction's timeout after which it is committed whatever the interval says.
    transaction: u64,
    due: u64,
}

impl Deadlines {
    /// `transaction_timeout` is that of transactions, where there are any.
    pub(super) fn new(interval: Duration, transaction_timeout: Option<Duration>, now: u64) -> Self {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let interval = millis(interval);
        // Flushing and committing take their time too.
        let transaction = transaction_timeout.map_or(u64::MAX, |timeout| millis(timeout) / 2);
        Self {
            interval,
            transaction,
            due: now.saturating_add(interval),
        }
    }

    /// When the next checkpoint is due.
    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    pub(super) fn transaction_began(&mut self, now: u64) {
        self.due = self.due.min(now.saturating_add(self.transaction));
    }

    pub(super) fn checkpoint_taken(&mut self, now: u64) {
        self.due = now.saturating_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_checkpoint_is_due_after_the_interval() {
        let mut deadlines = Deadlines::new(Duration::from_secs(10), Some(MINUTE), 0);
        assert_eq!(deadlines.due, 10_000);
        deadlines.checkpoint_taken(11_000);
        assert_eq!(deadlines.due, 21_000);
    }

    #[test]
    fn a_transaction_is_committed_long_before_its_timeout() {
        let mut deadlines = Deadlines::new(Duration::from_secs(59), Some(MINUTE), 0);
        deadlines.transaction_began(5_000);
        assert_eq!(deadlines.due, 35_000);
    }

    #[test]
    fn without_transactions_the_interval_is_all_that_counts() {
        let mut deadlines = Deadlines::new(Duration::from_secs(300), None, 0);
        deadlines.transaction_began(5_000);
        assert_eq!(deadlines.due, 300_000);
    }

    #[test]
    fn an_interval_that_ends_earlier_stays() {
        let mut deadlines = Deadlines::new(Duration::from_secs(10), Some(MINUTE), 0);
        deadlines.transaction_began(9_000);
        assert_eq!(deadlines.due, 10_000);
    }
}
