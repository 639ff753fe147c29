//! A store: what is committed, and what was written since.

use super::merged::Merged;
use super::{Committed, KeyRange, Order, Overlay, Scan, StoreError, Value};

pub(crate) struct Store {
    pub(super) overlay: Overlay,
    pub(super) committed: Box<dyn Committed>,
    observed: ObservedTime,
}

/// The largest time that was written to a store which forgets by time. `None` until it was asked for: the entries tell it.
#[derive(Clone, Copy, Debug, Default)]
struct ObservedTime {
    now: Option<i64>,
    /// Before the record that is being processed.
    before: Option<i64>,
}

impl Store {
    pub(crate) fn new(committed: Box<dyn Committed>) -> Self {
        Self {
            overlay: Overlay::default(),
            committed,
            observed: ObservedTime::default(),
        }
    }

    pub(super) fn observed_time(&self) -> Option<i64> {
        self.observed.now
    }

    pub(super) fn observe(&mut self, time: i64) {
        self.observed.now = self.observed.now.max(Some(time));
    }

    /// The record is done: what it wrote stays.
    #[inline]
    pub(super) fn keep(&mut self) {
        self.overlay.keep();
        self.observed.before = self.observed.now;
    }

    /// The record has failed: what it wrote is taken back.
    pub(super) fn rollback(&mut self) {
        self.overlay.rollback();
        self.observed.now = self.observed.before;
    }

    /// The transaction was aborted: all that was written since the last checkpoint is dropped.
    pub(super) fn discard(&mut self) {
        self.overlay.clear();
        self.observed = ObservedTime::default();
    }

    /// Whether a row of that key can be kept.
    pub(super) fn takes(&self, key: &[u8]) -> Result<(), StoreError> {
        self.committed.takes(key)
    }

    /// Nobody will use it for a while: memory that it can do without is given back.
    pub(super) fn rest(&mut self) {
        self.committed.rest();
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        match self.overlay.get(key) {
            Some(written) => Ok(written.map(Value::Lent)),
            None => self.committed.get(key),
        }
    }

    /// Writes a value, or removes the entry.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        // Now, and not at the checkpoint: what is in the changelog has to fit the store.
        self.takes(key)?;
        self.overlay.put(key, value);
        Ok(())
    }

    /// Removes the entries in a range.
    pub(super) fn remove(&mut self, range: &KeyRange) -> Result<(), StoreError> {
        let keys: Result<Vec<Vec<u8>>, StoreError> = self
            .scan(range, Order::Ascending)
            .map(|entry| entry.map(|(key, _)| key.into_owned()))
            .collect();
        for key in keys? {
            self.put(&key, None)?;
        }
        Ok(())
    }

    /// The entries in a range, in the order of their keys.
    pub(crate) fn scan(&self, range: &KeyRange, order: Order) -> Scan<'_> {
        let written = self.overlay.range(range, order);
        Box::new(Merged::new(
            written,
            self.committed.scan(range, order),
            order,
        ))
    }

    /// Whether anything was written since the last checkpoint.
    pub(crate) fn is_changed(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// All that was written since the last checkpoint.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.overlay.iter()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::state::{Entry, Memory};

    /// `a` to `e` are committed with the value `old`; `b` is removed, `c` and `f` are written.
    fn store() -> Store {
        let mut memory = Memory::default();
        let committed: Vec<(&[u8], Option<&[u8]>)> = [b"a", b"b", b"c", b"d", b"e"]
            .iter()
            .map(|key| (key.as_slice(), Some(b"old".as_slice())))
            .collect();
        memory.apply(&mut committed.into_iter(), None).unwrap();
        let mut store = Store::new(Box::new(memory));
        store.put(b"b", None).unwrap();
        store.put(b"c", Some(b"new")).unwrap();
        store.put(b"f", Some(b"new")).unwrap();
        store
    }

    fn scan(range: &KeyRange, order: Order) -> String {
        let store = store();
        let entry = |entry: Entry<'_>| {
            let (key, value) = entry.unwrap();
            format!(
                "{}={}",
                String::from_utf8_lossy(&key),
                String::from_utf8_lossy(&value)
            )
        };
        let entries: Vec<String> = store.scan(range, order).map(entry).collect();
        entries.join(" ")
    }

    #[test]
    fn what_was_written_wins() {
        let store = store();
        assert_eq!(store.get(b"a").unwrap().as_deref(), Some(b"old".as_slice()));
        assert_eq!(store.get(b"b").unwrap().as_deref(), None);
        assert_eq!(store.get(b"c").unwrap().as_deref(), Some(b"new".as_slice()));
        assert_eq!(store.get(b"z").unwrap().as_deref(), None);
    }

    #[test]
    fn a_scan_sees_both_in_the_order_of_keys_in_both_directions() {
        assert_eq!(
            scan(&KeyRange::ALL, Order::Ascending),
            "a=old c=new d=old e=old f=new"
        );
        assert_eq!(
            scan(&KeyRange::ALL, Order::Descending),
            "f=new e=old d=old c=new a=old"
        );
    }

    #[test]
    fn a_scan_keeps_to_its_range() {
        let range = KeyRange {
            from: std::ops::Bound::Included(b"b".to_vec()),
            to: std::ops::Bound::Excluded(b"e".to_vec()),
        };
        assert_eq!(scan(&range, Order::Ascending), "c=new d=old");
        let nothing = KeyRange {
            from: std::ops::Bound::Included(b"e".to_vec()),
            to: std::ops::Bound::Included(b"b".to_vec()),
        };
        assert_eq!(scan(&nothing, Order::Ascending), "");
    }
}
