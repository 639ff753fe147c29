//! Stores that forget by time.
//!
//! An entry's key begins with the number of its segment, big-endian: its time divided by the segment interval. So what has
//! expired is one range in front, which is removed when the store's time passes into a new segment, and memory stays bounded.
//! Within a segment the keys are Kafka Streams' own (`org.apache.kafka.streams.state.internals.WindowKeySchema`,
//! `SessionKeySchema`).
//!
//! A store observes time by what is written to it, and by nothing else. What is older than the retention reads as absent at
//! once; what goes later is only its room.

use super::{KeyRange, Order, Scan, Store, StoreError};
use std::ops::Bound;
use std::time::Duration;

/// The bytes of a segment's number.
pub(super) const SEGMENT: usize = 8;

/// Segments are not shorter, so that there are few of them (as in Kafka Streams).
const SHORTEST_INTERVAL: i64 = 60_000;

/// In which a retention is split at most.
const MOST_SEGMENTS: i64 = 100;

/// For how long entries are kept, and in what portions they go. In milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    retention: i64,
    interval: i64,
}

/// The entry that a key belongs to tells its time.
pub(super) type TimeOf = fn(&[u8]) -> Option<i64>;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Segments {
    /// Kept for so long, in the portions of Kafka Streams' default.
    pub(crate) fn keeping(retention: i64) -> Self {
        Self::new(retention, (retention / 2).max(SHORTEST_INTERVAL))
    }

    /// For a history of this length.
    pub(crate) fn of_history(retention: Duration) -> Self {
        Self::keeping(millis(retention))
    }

    /// The same in portions of this length: at least a hundredth of the retention, since each segment is one more place to look
    /// at.
    pub(crate) fn with_interval(self, interval: Duration) -> Self {
        let shortest = (self.retention / MOST_SEGMENTS).max(1);
        Self::new(self.retention, millis(interval).max(shortest))
    }

    pub(crate) const fn new(retention: i64, interval: i64) -> Self {
        Self {
            retention,
            interval,
        }
    }

    pub(crate) fn retention(self) -> i64 {
        self.retention
    }

    pub(crate) fn interval(self) -> i64 {
        self.interval
    }

    /// Why a store that keeps nothing but segments is of no use with this retention.
    pub(super) fn refusal(self) -> Option<String> {
        (self.retention < 1).then(|| {
            "has a retention of less than 1ms, so that all that is written is forgotten at once; set how long it is to be found"
                .to_owned()
        })
    }

    /// The segment of a time.
    pub(super) fn of(self, time: i64) -> i64 {
        time.max(0) / self.interval
    }

    /// Begins the key of an entry of this time.
    pub(crate) fn begin_key(self, time: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.of(time).to_be_bytes());
    }

    /// The largest time that was written, if anything was.
    pub(super) fn observed(
        self,
        store: &Store,
        time_of: TimeOf,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(time) = store.observed_time() {
            return Ok(Some(time));
        }
        // After a restart: the last segment has it.
        let Some(last) = store.scan(&KeyRange::ALL, Order::Descending).next() else {
            return Ok(None);
        };
        let (key, _) = last?;
        let segment = KeyRange::prefix(key.get(..SEGMENT).unwrap_or_default());
        let mut observed = None;
        for entry in store.scan(&segment, Order::Ascending) {
            observed = observed.max(time_of(&entry?.0));
        }
        Ok(observed)
    }

    /// Moves the store's time on, and removes the segments that no time within the retention belongs to any more. Says
    /// whether an entry of this time may be written.
    pub(super) fn observe(
        self,
        store: &mut Store,
        time: i64,
        time_of: TimeOf,
    ) -> Result<bool, StoreError> {
        let before = self.observed(store, time_of)?;
        let now = before.map_or(time, |before| before.max(time));
        store.observe(now);
        let first_live = self.first_live(now);
        if before.is_some_and(|before| self.first_live(before) < first_live) {
            // They leave the changelog too.
            store.remove(&KeyRange {
                from: Bound::Unbounded,
                to: Bound::Excluded(first_live.to_be_bytes().to_vec()),
            })?;
        }
        Ok(self.of(time) >= first_live)
    }

    fn first_live(self, observed: i64) -> i64 {
        self.of(observed.saturating_sub(self.retention))
    }

    /// The first time that is within the retention.
    pub(super) fn first_time(self, observed: i64) -> i64 {
        observed.saturating_sub(self.retention).saturating_add(1)
    }

    /// The entries of all segments that times from `from` to `to` belong to, segment by segment: those of each between these
    /// keys.
    pub(super) fn scan<'s>(
        self,
        store: &'s Store,
        times: (i64, i64),
        observed: i64,
        keys: (Vec<u8>, Option<Vec<u8>>),
        order: Order,
    ) -> Scan<'s> {
        let first = self.of(times.0.max(self.first_time(observed)));
        let last = self.of(times.1.min(observed));
        let range = move |segment: i64| {
            let prefix = segment.to_be_bytes();
            let end = match &keys.1 {
                Some(to) => Bound::Included([&prefix, to.as_slice()].concat()),
                None => KeyRange::prefix(&prefix).to,
            };
            KeyRange {
                from: Bound::Included([&prefix, keys.0.as_slice()].concat()),
                to: end,
            }
        };
        let ranges: Vec<KeyRange> = match order {
            Order::Ascending => (first..=last).map(range).collect(),
            Order::Descending => (first..=last).rev().map(range).collect(),
        };
        Box::new(
            ranges
                .into_iter()
                .flat_map(move |range| store.scan(&range, order)),
        )
    }
}

/// A big-endian time that stands this far from the end of a key.
pub(super) fn time_at(key: &[u8], from_end: usize) -> Option<i64> {
    let at = key.len().checked_sub(from_end)?;
    let bytes = key.get(at..)?.first_chunk()?;
    Some(i64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::state::Memory;

    const SEGMENTS: Segments = Segments::new(20, 10);

    fn put(store: &mut Store, time: i64) -> bool {
        let live = SEGMENTS
            .observe(store, time, |key| time_at(key, 8))
            .unwrap();
        if live {
            let mut key = Vec::new();
            SEGMENTS.begin_key(time, &mut key);
            key.extend_from_slice(&time.to_be_bytes());
            store.put(&key, Some(b"v")).unwrap();
        }
        live
    }

    fn times(store: &Store) -> Vec<i64> {
        let entries = store.scan(&KeyRange::ALL, Order::Ascending);
        entries
            .map(|entry| time_at(&entry.unwrap().0, 8).unwrap())
            .collect()
    }

    #[test]
    fn a_segment_goes_when_no_time_of_it_is_within_the_retention() {
        let mut store = Store::new(Box::new(Memory::default()));
        for time in [1, 9, 12, 25] {
            assert!(put(&mut store, time));
        }
        assert_eq!(times(&store), [1, 9, 12, 25]);
        assert!(put(&mut store, 31));
        assert_eq!(times(&store), [12, 25, 31]);
        assert!(!put(&mut store, 9), "its segment is gone");
    }

    #[test]
    fn a_failed_record_leaves_neither_its_time_nor_a_hole() {
        let mut store = Store::new(Box::new(Memory::default()));
        put(&mut store, 1);
        store.keep();
        put(&mut store, 1_000);
        store.rollback();
        assert_eq!(store.observed_time(), Some(1));
        assert_eq!(times(&store), [1]);
    }

    #[test]
    fn after_an_abort_the_entries_tell_the_time() {
        let mut memory = Memory::default();
        let mut key = 2_i64.to_be_bytes().to_vec();
        key.extend_from_slice(&27_i64.to_be_bytes());
        let writes: [(&[u8], Option<&[u8]>); 1] = [(&key, Some(b"v"))];
        crate::state::Committed::apply(&mut memory, &mut writes.into_iter(), None).unwrap();
        let store = Store::new(Box::new(memory));
        assert_eq!(
            SEGMENTS.observed(&store, |key| time_at(key, 8)).unwrap(),
            Some(27)
        );
    }
}
