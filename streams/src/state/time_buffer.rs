//! Entries that wait for a time.
//!
//! A key is `time | key | number of the entry among those of this time and key`, so that entries leave in the order of time,
//! key and arrival (`org.apache.kafka.streams.state.internals.RocksDBTimeOrderedKeyValueBuffer`).

use super::{KeyRange, Order, Store, StoreError};
use std::ops::Bound;

const TIME: usize = 8;
const NUMBER: usize = 4;

/// A store as a buffer, which each entry leaves when the time of what comes in has passed it by `grace` milliseconds.
pub(crate) struct TimeBuffer<'s> {
    store: &'s mut Store,
    grace: i64,
    observed: Option<i64>,
}

/// An entry that has left.
pub(crate) struct Due {
    pub(crate) time: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl<'s> TimeBuffer<'s> {
    pub(crate) fn new(store: &'s mut Store, grace: i64) -> Result<Self, StoreError> {
        // Before anything is put: after a restart it is the entries that tell the time.
        let observed = observed(store)?;
        if let Some(observed) = observed {
            store.observe(observed);
        }
        Ok(Self {
            store,
            grace,
            observed,
        })
    }

    /// Whether what has this time need not wait.
    pub(crate) fn is_past(&self, time: i64) -> bool {
        let observed = self.observed.map_or(time, |observed| observed.max(time));
        time <= observed.saturating_sub(self.grace)
    }

    /// Has an entry wait.
    pub(crate) fn put(&mut self, time: i64, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut own = [&time_bytes(time), key].concat();
        let number = self.next_number(&own)?;
        own.extend_from_slice(&number.to_be_bytes());
        self.store.put(&own, Some(value))
    }

    /// Moves the time on, and takes out what has waited long enough.
    pub(crate) fn advance(&mut self, time: i64) -> Result<Vec<Due>, StoreError> {
        let before = self.observed;
        if before.is_some_and(|before| time <= before) {
            return Ok(Vec::new());
        }
        self.store.observe(time);
        let past = |observed: i64| observed.saturating_sub(self.grace);
        let range = KeyRange {
            // What was due before has left, and is not looked at again.
            from: before.map_or(Bound::Unbounded, |before| after(past(before))),
            to: match after(past(time)) {
                Bound::Included(first) => Bound::Excluded(first),
                unbounded => unbounded,
            },
        };
        let mut due = Vec::new();
        for entry in self.store.scan(&range, Order::Ascending) {
            let (key, value) = entry?;
            due.push((key.into_owned(), value.into_owned()));
        }
        for (key, _) in &due {
            self.store.put(key, None)?;
        }
        let due = due.into_iter().filter_map(|(key, value)| {
            let (time, rest) = key.split_first_chunk()?;
            Some(Due {
                time: time_of(*time),
                key: rest.get(..rest.len().checked_sub(NUMBER)?)?.to_vec(),
                value,
            })
        });
        Ok(due.collect())
    }

    fn next_number(&self, own: &[u8]) -> Result<u32, StoreError> {
        for entry in self.store.scan(&KeyRange::prefix(own), Order::Descending) {
            // Longer keys may begin with the same bytes.
            if let Some(number) = entry?.0.get(own.len()..)
                && let Ok(number) = <[u8; NUMBER]>::try_from(number)
            {
                return Ok(u32::from_be_bytes(number).saturating_add(1));
            }
        }
        Ok(0)
    }
}

/// The largest time that has come in. After a restart the last entry tells it: what is newest waits, unless nothing does.
fn observed(store: &Store) -> Result<Option<i64>, StoreError> {
    if let Some(time) = store.observed_time() {
        return Ok(Some(time));
    }
    let last = store.scan(&KeyRange::ALL, Order::Descending).next();
    let last = last.transpose()?;
    Ok(last.and_then(|(key, _)| Some(time_of(*key.first_chunk::<TIME>()?))))
}

/// The first key of a later time.
fn after(time: i64) -> Bound<Vec<u8>> {
    match time.checked_add(1) {
        Some(next) => Bound::Included(time_bytes(next).to_vec()),
        None => Bound::Unbounded,
    }
}

/// In the order of time, also before 1970.
fn time_bytes(time: i64) -> [u8; TIME] {
    time.wrapping_add(i64::MIN).to_be_bytes()
}

fn time_of(bytes: [u8; TIME]) -> i64 {
    i64::from_be_bytes(bytes).wrapping_add(i64::MIN)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::state::Memory;

    fn due(store: &mut Store, time: i64) -> String {
        let due = TimeBuffer::new(store, 10).unwrap().advance(time).unwrap();
        let text = |due: Due| [due.key, due.value].concat();
        let texts: Vec<_> = due.into_iter().map(text).collect();
        String::from_utf8(texts.join(&b' ')).unwrap()
    }

    fn put(store: &mut Store, time: i64, key: &str, value: &str) {
        let mut buffer = TimeBuffer::new(store, 10).unwrap();
        buffer.put(time, key.as_bytes(), value.as_bytes()).unwrap();
    }

    fn filled() -> Store {
        let mut store = Store::new(Box::new(Memory::default()));
        for (time, key, value) in [(3, "b", "1"), (3, "a", "2"), (3, "a", "3"), (-2, "c", "4")] {
            put(&mut store, time, key, value);
        }
        store
    }

    #[test]
    fn entries_leave_in_the_order_of_time_key_and_arrival() {
        let mut store = filled();
        assert_eq!(due(&mut store, 12), "c4");
        assert_eq!(due(&mut store, 12), "");
        assert_eq!(due(&mut store, 13), "a2 a3 b1");
    }

    #[test]
    fn after_a_restart_the_last_entry_tells_the_time() {
        let store = filled();
        let mut memory = Memory::default();
        crate::state::Committed::apply(&mut memory, &mut store.written(), None).unwrap();
        let mut restarted = Store::new(Box::new(memory));
        let buffer = TimeBuffer::new(&mut restarted, 4).unwrap();
        assert!(buffer.is_past(-1));
        assert!(!buffer.is_past(0));
        // What comes first then is not taken for what was there before.
        put(&mut restarted, 13, "d", "5");
        assert_eq!(due(&mut restarted, 13), "c4 a2 a3 b1");
    }
}
