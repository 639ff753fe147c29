//! The transactions of a partition that were aborted, in the order of their markers.
//!
//! Invariant: a transaction that ended after another began at or after the offset that was then the last stable one, so
//! that a search may stop there.

use std::collections::{HashMap, HashSet};

use super::batch::Batch;

/// An aborted transaction of one producer in this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    pub(crate) marker_offset: i64,
    /// The last stable offset when its marker had been written.
    pub(super) last_stable: i64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct AbortedTransactions {
    by_marker: Vec<Aborted>,
}

impl AbortedTransactions {
    pub(super) fn len(&self) -> usize {
        self.by_marker.len()
    }

    pub(super) fn push(&mut self, aborted: Aborted) {
        self.by_marker.push(aborted);
    }

    /// Those that may have records in `from..to`, in the order of their markers.
    pub(super) fn between(&self, from: i64, to: i64) -> Vec<Aborted> {
        let ended_before = |aborted: &Aborted| aborted.marker_offset < from;
        let after = self.by_marker.partition_point(ended_before);
        let later = self.by_marker.get(after..).unwrap_or_default();
        let until = later.partition_point(|aborted| aborted.last_stable < to);
        let found = later.iter().take(until.saturating_add(1));
        let found = found.filter(|aborted| aborted.first_offset < to);
        found.copied().collect()
    }

    /// Forgets those that ended before an offset.
    pub(super) fn deleted_before(&mut self, start: i64) {
        let ended_before = |aborted: &Aborted| aborted.marker_offset < start;
        let gone = self.by_marker.partition_point(ended_before);
        self.by_marker.drain(..gone);
    }

    /// Forgets those whose markers are gone.
    pub(super) fn forget(&mut self, markers: &HashSet<i64>) {
        if !markers.is_empty() {
            self.by_marker
                .retain(|aborted| !markers.contains(&aborted.marker_offset));
        }
    }

    /// The same by their producers, to look for many.
    pub(super) fn by_producer(&self) -> AbortedByProducer {
        let mut by_producer: HashMap<_, Vec<_>> = HashMap::new();
        for aborted in &self.by_marker {
            let own = by_producer.entry(aborted.producer_id).or_default();
            own.push((aborted.first_offset, aborted.marker_offset));
        }
        AbortedByProducer(by_producer)
    }
}

/// First and marker's offsets of each producer's aborted transactions, one after the other.
#[derive(Debug)]
pub(super) struct AbortedByProducer(HashMap<i64, Vec<(i64, i64)>>);

impl AbortedByProducer {
    /// Whether the batch is of one of them.
    pub(super) fn has(&self, batch: &Batch) -> bool {
        let offset = batch.base_offset;
        let holds = |own: &Vec<(i64, i64)>| {
            let at = own.partition_point(|(_, marker)| *marker <= offset);
            own.get(at).is_some_and(|(first, _)| *first <= offset)
        };
        batch.is_transactional() && self.0.get(&batch.producer_id).is_some_and(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three producers, each with a transaction of ten offsets after the other, none beginning where another does.
    fn overlapping() -> AbortedTransactions {
        let mut aborted = AbortedTransactions::default();
        for marker_offset in (12..300).step_by(4) {
            let first_offset = marker_offset - 10;
            aborted.push(Aborted {
                producer_id: marker_offset / 4 % 3,
                first_offset,
                marker_offset,
                // The transaction that ends next.
                last_stable: first_offset + 4,
            });
        }
        aborted
    }

    #[test]
    fn a_search_finds_all_that_overlap_and_no_others() {
        let aborted = overlapping();
        for from in 0..310 {
            for to in from..310 {
                let overlaps = |one: &&Aborted| one.marker_offset >= from && one.first_offset < to;
                let all = aborted.by_marker.iter().filter(overlaps);
                let expected: Vec<_> = all.copied().collect();
                assert_eq!(aborted.between(from, to), expected, "{from}..{to}");
            }
        }
    }

    #[test]
    fn what_is_deleted_or_compacted_away_is_forgotten() {
        let mut aborted = overlapping();
        let all = aborted.len();
        aborted.deleted_before(20);
        assert_eq!(aborted.len(), all - 2);
        aborted.forget(&HashSet::from([24, 25]));
        assert_eq!(aborted.len(), all - 3);
        let first = aborted.between(0, 300).first().map(|one| one.marker_offset);
        assert_eq!(first, Some(20));
    }
}
