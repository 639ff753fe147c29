//! Which leader wrote what: the epochs of a partition's leaders, and the offset at which each began
//! (`LeaderEpochFileCache` in Apache Kafka).
//!
//! Invariants: there is always one epoch, the last is the present leader's; epochs and their first offsets both rise, so
//! an epoch in which nothing was written is forgotten when the next one begins; the first is that of the log's start.

/// An epoch, and the first offset that is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Epoch {
    number: i32,
    start: i64,
}

/// How many epochs a restart of the only broker takes: in one the partition has no leader, in the next it has one again.
pub(crate) const OF_A_RESTART: i32 = 2;

/// The epochs of one partition.
#[derive(Debug)]
pub(super) struct Epochs {
    /// Those before the present one.
    earlier: Vec<Epoch>,
    current: Epoch,
}

impl Default for Epochs {
    fn default() -> Self {
        Self {
            earlier: Vec::new(),
            current: Epoch {
                number: 0,
                start: 0,
            },
        }
    }
}

impl Epochs {
    /// The present leader's.
    pub(super) fn current(&self) -> i32 {
        self.current.number
    }

    /// The broker was restarted, and is the leader again; what it writes begins at `end`.
    pub(super) fn restarted(&mut self, end: i64) {
        if self.current.start < end {
            self.earlier.push(self.current);
        }
        self.current = Epoch {
            number: self.current.number.saturating_add(OF_A_RESTART),
            start: end,
        };
    }

    /// In which epoch an offset was written.
    pub(super) fn of(&self, offset: i64) -> i32 {
        let mut all = self.all().rev();
        let found = all.find(|epoch| epoch.start <= offset);
        found.map_or(self.current.number, |epoch| epoch.number)
    }

    /// The last epoch that is not above the one asked for, and where it ended in a log with this end; `None` if there has
    /// been no such epoch yet. One that is below all that are known is taken to end where the first of them begins.
    pub(super) fn end_of(&self, asked: i32, end: i64) -> Option<(i32, i64)> {
        if asked < 0 || asked > self.current.number {
            return None;
        }
        if asked == self.current.number {
            return Some((asked, end));
        }
        let next = self.all().find(|epoch| epoch.number > asked)?;
        let found = self.all().rev().find(|epoch| epoch.number <= asked);
        Some((found.map_or(asked, |epoch| epoch.number), next.start))
    }

    /// The log begins at this offset now.
    pub(super) fn deleted_before(&mut self, start: i64) {
        let gone = self.all().take_while(|epoch| epoch.start <= start).count();
        // The last of them is that of the new start.
        let Some(before) = gone.checked_sub(1) else {
            return;
        };
        self.earlier.drain(..before.min(self.earlier.len()));
        match self.earlier.first_mut() {
            Some(first) => first.start = start,
            None => self.current.start = start,
        }
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = Epoch> {
        self.earlier.iter().copied().chain([self.current])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Epoch 0 wrote 0 to 2, epoch 2 wrote 3 and 4, epoch 4 nothing, epoch 6 writes on from 5.
    fn epochs() -> Epochs {
        let mut epochs = Epochs::default();
        epochs.restarted(3);
        epochs.restarted(5);
        epochs.restarted(5);
        epochs
    }

    #[test]
    fn an_epoch_ends_where_the_next_that_wrote_begins() {
        let epochs = epochs();
        assert_eq!(epochs.current(), 6);
        let ends = [-1, 0, 1, 2, 3, 4, 5, 6, 7].map(|asked| epochs.end_of(asked, 9));
        let (first, second) = (Some((0, 3)), Some((2, 5)));
        let expected = [
            None,
            first,
            first,
            second,
            second,
            second,
            second,
            Some((6, 9)),
            None,
        ];
        assert_eq!(ends, expected);
        assert_eq!(
            [0, 2, 3, 4, 5, 9].map(|offset| epochs.of(offset)),
            [0, 0, 2, 2, 6, 6]
        );
    }

    #[test]
    fn what_was_deleted_belongs_to_no_epoch() {
        let mut epochs = epochs();
        epochs.deleted_before(2);
        assert_eq!(epochs.end_of(0, 9), Some((0, 3)));
        epochs.deleted_before(4);
        assert_eq!(epochs.end_of(0, 9), Some((0, 4)), "where the first begins");
        assert_eq!(epochs.end_of(2, 9), Some((2, 5)));
        epochs.deleted_before(7);
        assert_eq!(epochs.end_of(2, 9), Some((2, 7)));
        assert_eq!((epochs.of(7), epochs.current()), (6, 6));
    }

    #[test]
    fn an_empty_log_has_the_present_epoch_only() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.end_of(0, 0), Some((0, 0)));
        epochs.restarted(0);
        assert_eq!(epochs.end_of(1, 0), Some((1, 0)));
        assert_eq!(epochs.end_of(2, 0), Some((2, 0)));
        assert_eq!(epochs.of(0), 2);
    }
}
