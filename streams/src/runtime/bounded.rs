//! A run with an end: up to the offsets that were the latest when it started.

use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::error::ClientError;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a job reads before it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until it is stopped.
    #[default]
    Stopped,
    /// Until everything that was there at the start is committed.
    Latest,
}

/// The ends of a bounded run, and what is still to do. Shared by the stream threads, which look at it between batches.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The partitions that are not done yet, with the offset at which each one is.
    open: Mutex<HashMap<TopicPartition, i64>>,
}

impl Bound {
    /// Asks for the end of every partition. One that is empty is done.
    pub(crate) fn capture(
        admin: &Admin,
        partitions: &[TopicPartition],
    ) -> Result<Self, ClientError> {
        let mut open = HashMap::new();
        for partition in partitions {
            let (start, end) = admin.watermarks(partition, Duration::from_secs(30))?;
            if end > start {
                open.insert(partition.clone(), end);
            }
        }
        Ok(Self {
            open: Mutex::new(open),
        })
    }

    /// Notes what is processed and committed, and says whether all is done.
    pub(crate) fn reached(&self, offsets: &[(TopicPartition, i64)]) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, offset) in offsets {
            if open.get(partition).is_some_and(|end| offset >= end) {
                open.remove(partition);
            }
        }
        open.is_empty()
    }

    /// Whether a checkpoint now would finish all of these partitions that are still open, and at least one.
    pub(crate) fn would_finish(&self, offsets: &[(TopicPartition, i64)]) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut still_open = offsets
            .iter()
            .filter_map(|(partition, offset)| Some((*offset, *open.get(partition)?)))
            .peekable();
        still_open.peek().is_some() && still_open.all(|(offset, end)| offset >= end)
    }

    /// Whether all is done.
    pub(crate) fn is_done(&self) -> bool {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    #[cfg(test)]
    pub(crate) fn of(ends: &[(TopicPartition, i64)]) -> Self {
        Self {
            open: Mutex::new(ends.iter().cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_when_every_partition_has_reached_its_end() {
        let (one, two) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let bound = Bound::of(&[(one.clone(), 5), (two.clone(), 7)]);
        assert!(!bound.reached(&[(one.clone(), 4), (two.clone(), 9)]));
        assert!(!bound.is_done());
        assert!(bound.reached(&[(one, 5)]));
    }

    #[test]
    fn a_thread_takes_its_last_checkpoint_when_all_of_its_partitions_are_read() {
        let (one, two, elsewhere) = (
            TopicPartition::new("t", 0),
            TopicPartition::new("t", 1),
            TopicPartition::new("t", 2),
        );
        let bound = Bound::of(&[(one.clone(), 5), (two.clone(), 7), (elsewhere, 9)]);
        assert!(!bound.would_finish(&[(one.clone(), 5), (two.clone(), 6)]));
        assert!(bound.would_finish(&[(one.clone(), 5), (two.clone(), 7)]));
        bound.reached(&[(one.clone(), 5), (two.clone(), 7)]);
        assert!(!bound.would_finish(&[(one, 5), (two, 7)]));
    }
}
