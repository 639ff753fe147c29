//! A run with an end: up to the offsets that were the latest when it started, and all that came of them.
//!
//! What goes through a repartition topic is there only when its source is read to the end. So when all is done, the ends of
//! these topics are taken and read up to as well, as often as there are such topics: one may feed the next.

use super::patience::Patience;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::consumer::GroupConsumer;
use crate::kafka::error::ClientError;
use crate::kafka::offsets::LogEnd;
use crate::kafka::properties::Properties;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// The repartition topics' partitions, and how often their ends are still to be taken.
    repartitions: Vec<TopicPartition>,
    rounds: Mutex<usize>,
}

const OFFSETS_TIMEOUT: Duration = Duration::from_secs(30);

impl Bound {
    /// Asks for the end of every partition of the sources, while there is patience: leaders may be moving. One that is empty
    /// is done.
    pub(crate) fn capture(
        admin: &Admin,
        partitions: &[TopicPartition],
        repartitions: Vec<TopicPartition>,
        rounds: usize,
        patience: Patience<'_>,
    ) -> Result<Self, ClientError> {
        let ask = |at| patience.repeat(|wait| admin.log_offsets(partitions, at, wait));
        let (ends, starts) = (ask(LogEnd::Last)?, ask(LogEnd::First)?);
        let spans = partitions.iter().zip(ends.into_iter().zip(starts));
        let open = spans
            .filter(|(_, (end, start))| end > start)
            .map(|(partition, (end, _))| (partition.clone(), end))
            .collect();
        Ok(Self {
            open: Mutex::new(open),
            repartitions,
            rounds: Mutex::new(rounds),
        })
    }

    /// When all that was to do is done: opens what has come of it in repartition topics.
    pub(crate) fn go_on(
        &self,
        properties: &Properties,
        consumer: &GroupConsumer,
    ) -> Result<(), ClientError> {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        if *rounds == 0 || !self.open().is_empty() {
            return Ok(());
        }
        // The high watermark: the markers of what was just committed may still be on their way.
        let admin = Admin::new(properties)?;
        let ends = admin.log_offsets(&self.repartitions, LogEnd::Last, OFFSETS_TIMEOUT)?;
        let committed = consumer.committed(&self.repartitions, OFFSETS_TIMEOUT)?;
        let committed: HashMap<_, _> = committed.offsets.into_iter().collect();
        let ends = self.repartitions.iter().cloned().zip(ends);
        let unread =
            ends.filter(|(partition, end)| *end > committed.get(partition).copied().unwrap_or(0));
        self.open().extend(unread);
        *rounds -= 1;
        Ok(())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<TopicPartition, i64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partitions that are not done yet, with their ends, other than these.
    pub(crate) fn open_but(&self, ours: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        let open = self.open();
        let others = open
            .iter()
            .filter(|(partition, _)| !ours.contains(partition));
        others
            .map(|(partition, end)| (partition.clone(), *end))
            .collect()
    }

    /// Whether any of these partitions is not done yet.
    pub(crate) fn has_any_of(&self, ours: &[TopicPartition]) -> bool {
        let open = self.open();
        ours.iter().any(|partition| open.contains_key(partition))
    }

    /// Notes what is processed and committed.
    pub(crate) fn reached(&self, offsets: &[(TopicPartition, i64)]) {
        let mut open = self.open();
        for (partition, offset) in offsets {
            if open.get(partition).is_some_and(|end| offset >= end) {
                open.remove(partition);
            }
        }
    }

    /// Whether a checkpoint now would finish all of these partitions that are still open, and at least one.
    pub(crate) fn would_finish(&self, offsets: &[(TopicPartition, i64)]) -> bool {
        let open = self.open();
        let mut still_open = offsets
            .iter()
            .filter_map(|(partition, offset)| Some((*offset, *open.get(partition)?)))
            .peekable();
        still_open.peek().is_some() && still_open.all(|(offset, end)| offset >= end)
    }

    /// Whether all is done.
    pub(crate) fn is_done(&self) -> bool {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        *rounds == 0 && self.open().is_empty()
    }

    #[cfg(test)]
    pub(crate) fn of(ends: &[(TopicPartition, i64)]) -> Self {
        Self {
            open: Mutex::new(ends.iter().cloned().collect()),
            repartitions: Vec::new(),
            rounds: Mutex::new(0),
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
        bound.reached(&[(one.clone(), 4), (two.clone(), 9)]);
        assert!(!bound.is_done());
        bound.reached(&[(one, 5)]);
        assert!(bound.is_done());
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
