//! The record cache of a task: updates of tables that are written, and wait to be sent on, so that the operators behind a
//! table see one update of a row for many.
//!
//! What Kafka Streams' `CachingKeyValueStore`, `ThreadCache` and `NamedCache`
//! (`org.apache.kafka.streams.state.internals`) do, for the part of them that is not the store's already: a store has
//! the newest row at once, here too (the overlay), and its changelog gets one record for each row that a checkpoint
//! changed. So this holds no rows, but what is needed to send each on: what it was when it was last sent, and whose time
//! and headers it has now. It is empty at each checkpoint.

use super::Headers;
use std::collections::{BTreeMap, HashMap};

/// An update that waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) key: Vec<u8>,
    /// The entry that the store had when the row was last sent on; empty if nobody behind the table asks for old values.
    /// `None` if there was no row.
    pub(crate) old: Option<Vec<u8>>,
    pub(crate) newest: Newest,
}

/// What the newest update of a row has besides its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) headers: Headers,
}

/// How old an update is: the larger, the newer.
type Age = u64;

/// The updates of the tables of a task that wait. A table is known by the slot of its processor.
#[derive(Debug, Default)]
pub(crate) struct RecordCache {
    is_on: bool,
    tables: Vec<HeldUpdates>,
    next_age: Age,
    bytes: usize,
    /// Of the record that is being processed.
    undo: Vec<Undo>,
}

/// Those of one table.
#[derive(Debug, Default)]
struct HeldUpdates {
    by_key: HashMap<Vec<u8>, Age>,
    by_age: BTreeMap<Age, Held>,
}

/// What an update has replaced.
#[derive(Debug)]
struct Undo {
    table: usize,
    /// Of the update.
    age: Age,
    /// `None` if the row did not wait.
    before: Option<(Age, Newest)>,
}

/// What the two maps take for an update besides its bytes, about.
const OVERHEAD: usize = 128;

/// What an update takes besides its headers: its key is there twice.
fn size(key: &[u8], old: Option<&[u8]>) -> usize {
    2 * key.len() + old.map_or(0, <[u8]>::len) + OVERHEAD
}

impl RecordCache {
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            ..Self::default()
        }
    }

    /// Whether updates wait here, and are not sent on at once.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// The bytes that it takes up.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds an update, in place of one of the same row that waits already. What the row was before is asked of `old` where
    /// none does.
    pub(crate) fn hold<E>(
        &mut self,
        table: usize,
        key: &[u8],
        timestamp: i64,
        headers: &Headers,
        old: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(), E> {
        if self.tables.len() <= table {
            self.tables.resize_with(table + 1, HeldUpdates::default);
        }
        let Some(updates) = self.tables.get_mut(table) else {
            return Ok(());
        };
        let age = self.next_age;
        let mut newest = Newest {
            timestamp,
            headers: headers.clone(),
        };
        let known = updates.by_key.get_mut(key);
        let known = known.map(|known| std::mem::replace(known, age));
        let waiting = known.and_then(|known| Some((known, updates.by_age.remove(&known)?)));
        let before = match waiting {
            Some((before, mut held)) => {
                std::mem::swap(&mut held.newest, &mut newest);
                self.bytes += held.newest.headers.bytes();
                self.bytes -= newest.headers.bytes();
                updates.by_age.insert(age, held);
                Some((before, newest))
            }
            None => {
                let old = old()?;
                self.bytes += size(key, old.as_deref()) + newest.headers.bytes();
                let key = key.to_vec();
                updates.by_key.insert(key.clone(), age);
                updates.by_age.insert(age, Held { key, old, newest });
                None
            }
        };
        self.next_age += 1;
        self.undo.push(Undo { table, age, before });
        Ok(())
    }

    /// Lets go of the oldest update of the first of these tables that has one: in the order of the flow, so that a table
    /// is empty for good before one behind it is begun.
    pub(crate) fn take_first(&mut self, in_flow: &[usize]) -> Option<(usize, Held)> {
        let has_some = |table: &&usize| {
            let updates = self.tables.get(**table);
            updates.is_some_and(|updates| !updates.by_age.is_empty())
        };
        let table = *in_flow.iter().find(has_some)?;
        Some((table, self.take_oldest_of(table)?))
    }

    /// Lets go of the update that was made the longest ago, of whichever table.
    pub(crate) fn take_oldest(&mut self) -> Option<(usize, Held)> {
        let ages = self.tables.iter().enumerate();
        let ages = ages.filter_map(|(table, updates)| {
            let (age, _) = updates.by_age.first_key_value()?;
            Some((*age, table))
        });
        let (_, table) = ages.min()?;
        Some((table, self.take_oldest_of(table)?))
    }

    fn take_oldest_of(&mut self, table: usize) -> Option<Held> {
        let updates = self.tables.get_mut(table)?;
        let (_, held) = updates.by_age.pop_first()?;
        updates.by_key.remove(&held.key);
        self.bytes -= size(&held.key, held.old.as_deref()) + held.newest.headers.bytes();
        Some(held)
    }

    /// The record is done: its updates stay.
    #[inline]
    pub(crate) fn keep(&mut self) {
        if !self.undo.is_empty() {
            self.undo.clear();
        }
    }

    /// The record has failed: its updates are taken back, the last one first.
    pub(crate) fn rollback(&mut self) {
        while let Some(Undo { table, age, before }) = self.undo.pop() {
            let Some(updates) = self.tables.get_mut(table) else {
                continue;
            };
            let Some(mut held) = updates.by_age.remove(&age) else {
                continue;
            };
            self.bytes -= held.newest.headers.bytes();
            match before {
                Some((age, newest)) => {
                    self.bytes += newest.headers.bytes();
                    held.newest = newest;
                    if let Some(known) = updates.by_key.get_mut(&held.key) {
                        *known = age;
                    }
                    updates.by_age.insert(age, held);
                }
                None => {
                    self.bytes -= size(&held.key, held.old.as_deref());
                    updates.by_key.remove(&held.key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::convert::Infallible;

    /// Holds an update of a row that was `old` before.
    fn hold(cache: &mut RecordCache, (table, key): (usize, &str), timestamp: i64, old: &str) {
        let mut headers = Headers::default();
        headers.add("at", Some(timestamp.to_string().as_bytes()));
        let old = || Ok::<_, Infallible>(Some(old.as_bytes().to_vec()));
        cache
            .hold(table, key.as_bytes(), timestamp, &headers, old)
            .unwrap();
    }

    /// Table, key, what was there, and the time of the newest update.
    type Told = (usize, String, String, i64);

    fn told((table, held): (usize, Held)) -> Told {
        let Held { key, old, newest } = held;
        let timestamp = newest.timestamp.to_string();
        let header = Some(Some(timestamp.as_bytes()));
        assert_eq!(newest.headers.last("at"), header);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (table, text(key), text(old.unwrap()), newest.timestamp)
    }

    fn oldest_first(cache: &mut RecordCache) -> Vec<Told> {
        std::iter::from_fn(|| cache.take_oldest())
            .map(told)
            .collect()
    }

    fn update(table: usize, key: &str, old: &str, timestamp: i64) -> Told {
        (table, key.to_owned(), old.to_owned(), timestamp)
    }

    #[test]
    fn a_row_waits_once_with_its_first_old_value_and_its_newest_time() {
        let mut cache = RecordCache::new(true);
        hold(&mut cache, (0, "a"), 1, "old");
        hold(&mut cache, (0, "b"), 2, "old");
        hold(&mut cache, (0, "a"), 3, "newer");
        // `a` was updated last.
        let expected = [update(0, "b", "old", 2), update(0, "a", "old", 3)];
        assert_eq!(oldest_first(&mut cache), expected);
        assert_eq!(cache.bytes(), 0);
        // It is sent on, so the next update begins anew.
        hold(&mut cache, (0, "a"), 4, "newer");
        assert_eq!(oldest_first(&mut cache), [update(0, "a", "newer", 4)]);
    }

    #[test]
    fn a_failed_record_leaves_what_waited_before() {
        let mut cache = RecordCache::new(true);
        hold(&mut cache, (0, "a"), 1, "old");
        hold(&mut cache, (0, "b"), 2, "old");
        cache.keep();
        let bytes = cache.bytes();
        for timestamp in [1_000, 1_001] {
            hold(&mut cache, (0, "a"), timestamp, "not asked for");
        }
        hold(&mut cache, (1, "c"), 1_002, "old");
        assert!(cache.bytes() > bytes);
        cache.rollback();
        assert_eq!(cache.bytes(), bytes);
        let expected = [update(0, "a", "old", 1), update(0, "b", "old", 2)];
        assert_eq!(oldest_first(&mut cache), expected);
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn what_is_kept_is_not_taken_back_with_the_next_record() {
        let mut cache = RecordCache::new(true);
        hold(&mut cache, (0, "a"), 1, "old");
        cache.keep();
        cache.rollback();
        assert_eq!(oldest_first(&mut cache), [update(0, "a", "old", 1)]);
    }

    #[test]
    fn a_checkpoint_empties_tables_in_the_order_of_the_flow() {
        let mut cache = RecordCache::new(true);
        for (timestamp, table) in [(1, 0), (2, 2), (3, 1), (4, 2)] {
            let key = timestamp.to_string();
            hold(&mut cache, (table, &key), timestamp, "old");
        }
        let in_flow = [2, 0, 1];
        let taken = std::iter::from_fn(|| cache.take_first(&in_flow));
        let tables: Vec<_> = taken
            .map(told)
            .map(|(table, _, _, at)| (table, at))
            .collect();
        assert_eq!(tables, [(2, 2), (2, 4), (0, 1), (1, 3)]);
    }

    #[test]
    fn what_cannot_be_looked_up_is_not_held() {
        let mut cache = RecordCache::new(true);
        let failed = cache.hold(0, b"a", 1, Headers::EMPTY, || Err("unreadable"));
        assert_eq!(failed, Err("unreadable"));
        cache.rollback();
        assert_eq!(cache.bytes(), 0);
        assert!(cache.take_oldest().is_none());
    }

    #[test]
    fn its_size_grows_with_keys_old_values_and_headers() {
        let bytes = |key: &str, old: Option<&str>, header: &str| {
            let mut cache = RecordCache::new(true);
            let mut headers = Headers::default();
            headers.add("h", Some(header.as_bytes()));
            let old = || Ok::<_, Infallible>(old.map(|old| old.as_bytes().to_vec()));
            cache.hold(0, key.as_bytes(), 1, &headers, old).unwrap();
            cache.bytes()
        };
        let least = bytes("k", None, "");
        assert_eq!(bytes("kk", None, ""), least + 2);
        assert_eq!(bytes("k", Some("old"), ""), least + 3);
        assert_eq!(bytes("k", None, "value"), least + 5);
    }
}
