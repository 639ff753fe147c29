//! The offsets of a group: committed ones, and those that wait for their transaction to end.
//!
//! Invariant: a pending offset is seen by nobody until its transaction commits; while there is one for a partition, a
//! reader that asks for stable offsets is told to come again.

use std::collections::BTreeMap;

use crate::log::batch::Outcome;

/// A committed position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

type ByPartition = BTreeMap<(String, i32), Committed>;

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: ByPartition,
    /// By producer id.
    pending: BTreeMap<i64, ByPartition>,
}

impl Offsets {
    pub(crate) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) {
        self.committed
            .insert((topic.to_owned(), partition), committed);
    }

    /// Keeps an offset until the producer's transaction ends.
    pub(crate) fn commit_later(
        &mut self,
        producer_id: i64,
        topic: &str,
        partition: i32,
        committed: Committed,
    ) {
        let pending = self.pending.entry(producer_id).or_default();
        pending.insert((topic.to_owned(), partition), committed);
    }

    /// The producer's transaction has ended.
    pub(crate) fn ended(&mut self, producer_id: i64, outcome: Outcome) {
        if let (Some(offsets), Outcome::Commit) = (self.pending.remove(&producer_id), outcome) {
            self.committed.extend(offsets);
        }
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.committed.get(&(topic.to_owned(), partition))
    }

    /// Whether an open transaction holds an offset of this partition.
    pub(crate) fn is_unstable(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending
            .values()
            .any(|offsets| offsets.contains_key(&key))
    }

    /// Every partition with a committed or pending offset.
    pub(crate) fn partitions(&self) -> BTreeMap<String, Vec<i32>> {
        let mut found: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self
            .committed
            .keys()
            .chain(self.pending.values().flat_map(BTreeMap::keys))
        {
            let partitions = found.entry(topic.clone()).or_default();
            if !partitions.contains(partition) {
                partitions.push(*partition);
            }
        }
        found
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.committed.retain(|(name, _), _| name != topic);
        self.pending
            .values_mut()
            .for_each(|offsets| offsets.retain(|(name, _), _| name != topic));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.values().all(BTreeMap::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed {
            offset,
            leader_epoch: -1,
            metadata: String::new(),
        }
    }

    #[test]
    fn pending_offsets_appear_with_the_commit_and_vanish_with_the_abort() {
        let mut offsets = Offsets::default();
        offsets.commit("a", 0, at(1));
        offsets.commit_later(7, "a", 0, at(2));
        assert!(offsets.is_unstable("a", 0) && !offsets.is_unstable("a", 1));
        assert_eq!(offsets.get("a", 0), Some(&at(1)));
        offsets.ended(7, Outcome::Abort);
        assert_eq!(
            (offsets.get("a", 0), offsets.is_unstable("a", 0)),
            (Some(&at(1)), false)
        );
        offsets.commit_later(7, "a", 0, at(3));
        offsets.ended(8, Outcome::Commit);
        assert_eq!(offsets.get("a", 0), Some(&at(1)));
        offsets.ended(7, Outcome::Commit);
        assert_eq!(offsets.get("a", 0), Some(&at(3)));
    }

    #[test]
    fn a_deleted_topic_is_forgotten() {
        let mut offsets = Offsets::default();
        offsets.commit("a", 0, at(1));
        offsets.commit_later(7, "a", 1, at(2));
        assert_eq!(
            offsets.partitions(),
            BTreeMap::from([("a".to_owned(), vec![0, 1])])
        );
        offsets.forget_topic("a");
        assert!(offsets.is_empty());
    }
}
