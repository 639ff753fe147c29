//! Writes that lie over what is in a store: those since the last checkpoint, or those that are in no table on disk yet.

use super::{KeyRange, Order};
use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

/// The newest write of each row. `None` is a removal.
///
/// The writes of the record that is being processed are remembered until it is done ([`keep`](Self::keep)) or has failed
/// ([`rollback`](Self::rollback)). Buffers are used again, so a hot key costs no allocation.
///
/// Rows are found by the hash of their key. Their order is kept only from the first time on that somebody asks for a range:
/// stores that are read by key alone, as most are, do not pay for it.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// In the order of their first writing.
    rows: Vec<Row>,
    /// Where in `rows` a key's is.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// Where in `rows` a key's is, by the order of keys.
    order: OnceCell<BTreeMap<Bytes, usize>>,
    bytes: usize,
    undo: Vec<Undo>,
    spare: Vec<Bytes>,
}

/// An overlay that had more rows than this gives their memory back when it is emptied, if it has now used a part of it only.
const MANY_ROWS: usize = 65_536;

/// What a row takes up beside its bytes, about: itself, and its place.
const ROW: usize = size_of::<Row>() + 2 * size_of::<usize>();

/// Of a key or a value. Short ones, as most are, stand in the row itself.
type Bytes = SmallVec<[u8; 24]>;

/// The newest write of a key.
#[derive(Debug)]
struct Row {
    hash: u64,
    key: Bytes,
    value: Option<Bytes>,
}

impl Row {
    fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, SmallVec::len)
    }

    fn as_write(&self) -> Write<'_> {
        (&self.key, self.value.as_deref())
    }
}

/// Key, and value or removal.
pub(crate) type Write<'o> = (&'o [u8], Option<&'o [u8]>);

/// Writes in the order of their keys.
pub(crate) type WrittenInRange<'o> = Box<dyn Iterator<Item = Write<'o>> + 'o>;

/// What takes a write back.
#[derive(Debug)]
enum Undo {
    /// The row is the last one, and goes.
    Insertion,
    /// The row at this place had that value.
    Change(usize, Option<Bytes>),
}

impl Overlay {
    /// What was written to the key, if anything was: `Some(None)` is a removal.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        if self.rows.is_empty() {
            return None;
        }
        let place = self.place_of(self.hasher.hash_one(key), key)?;
        self.rows.get(place).map(|row| row.value.as_deref())
    }

    fn place_of(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let is_it = |place: &usize| {
            self.rows
                .get(*place)
                .is_some_and(|row| row.key.as_slice() == key)
        };
        self.places.find(hash, is_it).copied()
    }

    /// Writes a value, or a removal.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let hash = self.hasher.hash_one(key);
        let value = value.map(|value| copy(&mut self.spare, value));
        match self.place_of(hash, key) {
            Some(place) => self.change(place, value),
            None => self.insert(Row {
                hash,
                key: Bytes::from_slice(key),
                value,
            }),
        }
    }

    fn change(&mut self, place: usize, value: Option<Bytes>) {
        let Some(row) = self.rows.get_mut(place) else {
            return;
        };
        self.bytes -= row.size();
        let before = std::mem::replace(&mut row.value, value);
        self.bytes += row.size();
        self.undo.push(Undo::Change(place, before));
    }

    fn insert(&mut self, row: Row) {
        let place = self.rows.len();
        self.bytes += row.size();
        if let Some(order) = self.order.get_mut() {
            order.insert(row.key.clone(), place);
        }
        let rows = &self.rows;
        let hash_of = |place: &usize| rows.get(*place).map_or(0, |row| row.hash);
        self.places.insert_unique(row.hash, place, hash_of);
        self.rows.push(row);
        self.undo.push(Undo::Insertion);
    }

    /// The record is done: its writes stay.
    #[inline]
    pub(crate) fn keep(&mut self) {
        for undo in self.undo.drain(..) {
            if let Undo::Change(_, Some(before)) = undo
                && before.spilled()
            {
                self.spare.push(before);
            }
        }
    }

    /// The record has failed: its writes are taken back, the last one first.
    pub(crate) fn rollback(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Insertion => self.remove_last(),
                Undo::Change(place, before) => {
                    if let Some(row) = self.rows.get_mut(place) {
                        self.bytes -= row.size();
                        row.value = before;
                        self.bytes += row.size();
                    }
                }
            }
        }
    }

    fn remove_last(&mut self) {
        let Some(row) = self.rows.pop() else { return };
        self.bytes -= row.size();
        let place = self.rows.len();
        if let Ok(entry) = self.places.find_entry(row.hash, |at| *at == place) {
            entry.remove();
        }
        if let Some(order) = self.order.get_mut() {
            order.remove(row.key.as_slice());
        }
    }

    /// Forgets everything: it was applied, or the transaction was aborted.
    pub(crate) fn clear(&mut self) {
        let used = self.rows.len();
        self.undo.clear();
        self.spare.clear();
        self.rows.clear();
        self.places.clear();
        if self.rows.capacity() > MANY_ROWS.max(4 * used) {
            self.rows.shrink_to(used);
            self.places.shrink_to(used, |_| 0);
        }
        if let Some(order) = self.order.get_mut() {
            order.clear();
        }
        self.bytes = 0;
    }

    /// The bytes of its keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it takes up in memory, about.
    pub(crate) fn memory(&self) -> usize {
        Self::memory_of(self.rows.len(), self.bytes)
    }

    /// What so many rows, with so many bytes of keys and values, take up.
    pub(crate) fn memory_of(rows: usize, bytes: usize) -> usize {
        bytes + rows * ROW
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All writes, in the order in which their keys were first written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Write<'_>> {
        self.rows.iter().map(Row::as_write)
    }

    /// All writes, in the order of their keys.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Write<'_>> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows.into_iter().map(Row::as_write)
    }

    /// The writes in a range.
    pub(crate) fn range(&self, range: &KeyRange, order: Order) -> WrittenInRange<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let places = self.order().range::<[u8], _>(range.as_bounds());
        let written = |(_, place): (_, &usize)| self.rows.get(*place).map(Row::as_write);
        match order {
            Order::Ascending => Box::new(places.filter_map(written)),
            Order::Descending => Box::new(places.rev().filter_map(written)),
        }
    }

    fn order(&self) -> &BTreeMap<Bytes, usize> {
        let numbered = || self.rows.iter().map(|row| row.key.clone()).zip(0..);
        self.order.get_or_init(|| numbered().collect())
    }
}

fn copy(spare: &mut Vec<Bytes>, bytes: &[u8]) -> Bytes {
    if bytes.len() <= Bytes::new().inline_size() {
        return Bytes::from_slice(bytes);
    }
    let mut copy = spare.pop().unwrap_or_default();
    copy.clear();
    copy.extend_from_slice(bytes);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(overlay: &Overlay) -> Vec<Write<'_>> {
        overlay.in_order().collect()
    }

    fn range(overlay: &Overlay) -> Vec<&[u8]> {
        let written = overlay.range(&KeyRange::ALL, Order::Ascending);
        written.map(|(key, _)| key).collect()
    }

    #[test]
    fn a_failed_record_leaves_what_was_there_before() {
        let mut overlay = Overlay::default();
        overlay.put(b"a", Some(b"1"));
        overlay.put(b"b", None);
        overlay.keep();
        let bytes = overlay.bytes();

        overlay.put(b"a", Some(b"22"));
        overlay.put(b"a", None);
        overlay.put(b"b", Some(b"3"));
        overlay.put(b"c", Some(b"4"));
        overlay.rollback();
        let before: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"1")), (b"b", None)];
        assert_eq!(contents(&overlay), before);
        assert_eq!(overlay.bytes(), bytes);
    }

    #[test]
    fn a_kept_record_is_not_rolled_back_by_the_next() {
        let mut overlay = Overlay::default();
        overlay.put(b"a", Some(b"1"));
        overlay.keep();
        overlay.put(b"a", Some(b"2"));
        overlay.rollback();
        assert_eq!(overlay.get(b"a"), Some(Some(b"1".as_slice())));
    }

    #[test]
    fn a_removal_is_not_the_same_as_nothing() {
        let mut overlay = Overlay::default();
        overlay.put(b"a", None);
        assert_eq!(overlay.get(b"a"), Some(None));
        assert_eq!(overlay.get(b"b"), None);
    }

    #[test]
    fn its_size_is_that_of_keys_and_values() {
        let mut overlay = Overlay::default();
        overlay.put(b"key", Some(b"value"));
        overlay.put(b"key", Some(b"v"));
        assert_eq!(overlay.bytes(), 4);
        overlay.clear();
        assert_eq!(overlay.bytes(), 0);
    }

    #[test]
    fn a_range_is_in_order_whatever_was_written_before_and_after_it_was_first_asked_for() {
        let mut overlay = Overlay::default();
        for key in [b"d", b"b"] {
            overlay.put(key, Some(b"1"));
        }
        overlay.keep();
        assert_eq!(range(&overlay), [b"b", b"d"]);
        for key in [b"c", b"a", b"b"] {
            overlay.put(key, Some(b"2"));
        }
        assert_eq!(range(&overlay), [b"a", b"b", b"c", b"d"]);
        overlay.rollback();
        assert_eq!(range(&overlay), [b"b", b"d"]);
        overlay.put(b"f", None);
        assert_eq!(range(&overlay), [b"b", b"d", b"f"]);
        overlay.clear();
        overlay.put(b"e", None);
        assert_eq!(range(&overlay), [b"e"]);
    }

    #[test]
    fn long_values_and_short_ones_come_back_and_their_memory_is_used_again() {
        let mut overlay = Overlay::default();
        let (short, long, longer) = ([1; 3], [2; 100], [3; 200]);
        for value in [short.as_slice(), &long, &short, &longer] {
            overlay.put(&long, Some(value));
            overlay.keep();
        }
        overlay.put(&long, Some(&long));
        overlay.put(&long, None);
        overlay.put(&long, Some(&short));
        assert_eq!(overlay.bytes(), 103);
        overlay.rollback();
        assert_eq!(overlay.get(&long), Some(Some(longer.as_slice())));
        assert_eq!(overlay.bytes(), 300);
        overlay.put(&long, Some(&long));
        overlay.keep();
        assert_eq!(overlay.spare.len(), 1);
        overlay.put(&long, Some(&longer));
        assert!(overlay.spare.is_empty());
        assert_eq!(overlay.get(&long), Some(Some(longer.as_slice())));
    }

    #[test]
    fn memory_of_many_rows_is_given_back_when_few_are_written() {
        let mut overlay = Overlay::default();
        let put = |overlay: &mut Overlay, count: u32| {
            for key in 0..count {
                overlay.put(&key.to_be_bytes(), None);
                overlay.keep();
            }
            overlay.clear();
        };
        put(&mut overlay, 200_000);
        put(&mut overlay, 150_000);
        assert!(overlay.rows.capacity() >= 200_000);
        put(&mut overlay, 10);
        assert!(overlay.rows.capacity() < 1_000 && overlay.places.capacity() < 1_000);
    }

    #[test]
    fn each_of_many_keys_is_found_again() {
        let mut overlay = Overlay::default();
        let keys: Vec<[u8; 2]> = (0..5_000_u16).map(u16::to_be_bytes).collect();
        for key in &keys {
            overlay.put(key, Some(key));
        }
        overlay.keep();
        overlay.put(b"x", None);
        overlay.rollback();
        let found = |key: &[u8; 2]| overlay.get(key) == Some(Some(key.as_slice()));
        assert!(keys.iter().all(found));
        assert_eq!(overlay.get(b"x"), None);
        let written: Vec<Write<'_>> = overlay.iter().collect();
        assert_eq!(written, contents(&overlay), "written in the order of keys");
    }
}
