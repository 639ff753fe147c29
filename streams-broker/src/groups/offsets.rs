//! The offsets of a group: committed ones, and those that wait for their transaction to end.
//!
//! Invariants:
//! - A pending offset is seen by nobody until its transaction commits; while there is one for a partition, a reader that
//!   asks for stable offsets is told to come again.
//! - Of two offsets of a partition the one that was written last holds, whenever their transactions end
//!   (`OffsetMetadataManager.replayEndTransactionMarker` in Apache Kafka).

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::log::batch::Outcome;

/// An offset takes about so many bytes, without its texts.
const ENTRY_BYTES: usize = 160;

/// A committed position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    /// When it was committed.
    pub(crate) at: Millis,
    /// When it goes, where the request said so (OffsetCommit 2 to 4).
    pub(crate) expires: Option<Millis>,
}

/// From when on the offsets of a group grow old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// They don't.
    Never,
    /// From their commit on.
    SinceCommit,
    /// From a time on that holds for all of them.
    Since(Millis),
}

impl Expiry {
    fn is_over(self, committed: &Committed, retention: Millis, now: Millis) -> bool {
        let base = match self {
            Expiry::Never => return false,
            Expiry::SinceCommit => committed.at,
            Expiry::Since(time) => time,
        };
        match committed.expires {
            Some(expires) => now >= expires,
            None => now.saturating_sub(base) >= retention,
        }
    }
}

/// An offset, and its place among all that were written.
#[derive(Debug)]
struct Written {
    serial: u64,
    committed: Committed,
}

type ByPartition = BTreeMap<(String, i32), Written>;

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: ByPartition,
    /// By producer id.
    pending: BTreeMap<i64, ByPartition>,
    last_serial: u64,
}

impl Offsets {
    pub(crate) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) {
        let written = self.written(committed);
        self.committed
            .insert((topic.to_owned(), partition), written);
    }

    fn written(&mut self, committed: Committed) -> Written {
        self.last_serial += 1;
        Written {
            serial: self.last_serial,
            committed,
        }
    }

    /// Keeps an offset until the producer's transaction ends.
    pub(crate) fn commit_later(
        &mut self,
        producer_id: i64,
        topic: &str,
        partition: i32,
        committed: Committed,
    ) {
        let written = self.written(committed);
        let pending = self.pending.entry(producer_id).or_default();
        pending.insert((topic.to_owned(), partition), written);
    }

    /// The producer's transaction has ended.
    pub(crate) fn ended(&mut self, producer_id: i64, outcome: Outcome) {
        let (Some(offsets), Outcome::Commit) = (self.pending.remove(&producer_id), outcome) else {
            return;
        };
        for (key, written) in offsets {
            let present = self.committed.get(&key);
            if present.is_none_or(|present| present.serial < written.serial) {
                self.committed.insert(key, written);
            }
        }
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        let written = self.committed.get(&(topic.to_owned(), partition));
        written.map(|written| &written.committed)
    }

    /// Whether an open transaction holds an offset of this partition.
    pub(crate) fn is_unstable(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending
            .values()
            .any(|offsets| offsets.contains_key(&key))
    }

    /// Every partition with a committed offset.
    pub(crate) fn partitions(&self) -> BTreeMap<String, Vec<i32>> {
        let mut found: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self.committed.keys() {
            found.entry(topic.clone()).or_default().push(*partition);
        }
        found
    }

    /// Drops what is too old, unless its topic is subscribed to or a transaction is about to change it. Says whether
    /// nothing is left.
    pub(crate) fn expire(
        &mut self,
        expiry: Expiry,
        retention: Millis,
        now: Millis,
        subscribed: impl Fn(&str) -> bool,
    ) -> bool {
        let pending = &self.pending;
        let unstable =
            |key: &(String, i32)| pending.values().any(|offsets| offsets.contains_key(key));
        self.committed.retain(|key, written| {
            !expiry.is_over(&written.committed, retention, now)
                || subscribed(&key.0)
                || unstable(key)
        });
        self.is_empty()
    }

    /// Deletes what is committed and what is about to be.
    pub(crate) fn delete(&mut self, topic: &str, partition: i32) {
        let key = (topic.to_owned(), partition);
        self.committed.remove(&key);
        for offsets in self.pending.values_mut() {
            offsets.remove(&key);
        }
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.committed.retain(|(name, _), _| name != topic);
        self.pending
            .values_mut()
            .for_each(|offsets| offsets.retain(|(name, _), _| name != topic));
    }

    /// The memory that is taken, about.
    pub(super) fn footprint(&self) -> usize {
        let of_one = |(key, written): (&(String, i32), &Written)| {
            ENTRY_BYTES + key.0.len() + written.committed.metadata.len()
        };
        let pending = self.pending.values().flatten();
        self.committed.iter().chain(pending).map(of_one).sum()
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
            at: 100,
            expires: None,
        }
    }

    #[test]
    fn old_offsets_go_unless_they_are_in_use() {
        let mut offsets = Offsets::default();
        for topic in ["read", "pending", "old"] {
            offsets.commit(topic, 0, at(1));
        }
        offsets.commit_later(7, "pending", 0, at(2));
        let subscribed = |topic: &str| topic == "read";
        let mut left = |expiry, now| {
            offsets.expire(expiry, 50, now, subscribed);
            offsets.committed.len()
        };
        assert_eq!(left(Expiry::SinceCommit, 149), 3);
        assert_eq!(left(Expiry::Since(200), 249), 3);
        assert_eq!(left(Expiry::Never, 1_000), 3);
        assert_eq!(left(Expiry::SinceCommit, 150), 2);
        assert!(offsets.get("old", 0).is_none());
        offsets.delete("pending", 0);
        assert!(!offsets.is_unstable("pending", 0) && offsets.get("pending", 0).is_none());
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
            BTreeMap::from([("a".to_owned(), vec![0])])
        );
        offsets.forget_topic("a");
        assert!(offsets.is_empty());
    }
}
