//! Records of a changelog on their way into a store: many are gathered, so that they can be written in the order of their
//! keys.

use super::StoreKind;
use std::cmp::Ordering;
use std::iter;
use std::ops::Range;

/// What has been read of a store's changelog and is not written yet. Keys and values lie one behind the other, apart from
/// each other: sorting touches keys only.
#[derive(Default)]
pub(crate) struct RestoreBatch {
    keys: Vec<u8>,
    values: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    key: Range<usize>,
    /// `None` is a removal.
    value: Option<Range<usize>>,
}

impl Entry {
    fn key<'k>(&self, keys: &'k [u8]) -> &'k [u8] {
        keys.get(self.key.clone()).unwrap_or_default()
    }

    fn compare(&self, other: &Self, keys: &[u8]) -> Ordering {
        self.key(keys).cmp(other.key(keys))
    }
}

impl RestoreBatch {
    /// Takes a record of the changelog of a store of this kind.
    pub(crate) fn push(
        &mut self,
        kind: StoreKind,
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: i64,
    ) {
        let (key_at, value_at) = (self.keys.len(), self.values.len());
        kind.restored_key(key, &mut self.keys);
        let is_kept = kind.restored(value, timestamp, &mut self.values);
        self.entries.push(Entry {
            key: key_at..self.keys.len(),
            value: is_kept.then_some(value_at..self.values.len()),
        });
    }

    /// Begins anew, and keeps so many bytes of its memory for what comes.
    pub(crate) fn clear(&mut self, keep: usize) {
        self.keys.clear();
        self.values.clear();
        self.entries.clear();
        // Values are most of it, or keys and entries are small.
        self.keys.shrink_to(keep / 4);
        self.values.shrink_to(keep);
        self.entries.shrink_to(keep / 4 / size_of::<Entry>());
    }

    /// What it takes up in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() + self.values.len() + size_of::<Entry>() * self.entries.len()
    }

    /// The newest value of each key, in the order of the keys.
    pub(crate) fn newest(&mut self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let Self {
            keys,
            values,
            entries,
        } = self;
        // Equal keys stay in the order of their arrival: the last one is the newest.
        entries.sort_by(|one, other| one.compare(other, keys));
        let next = entries.iter().skip(1).map(Some).chain(iter::once(None));
        let newest = entries.iter().zip(next).filter(|(entry, next)| {
            next.is_none_or(|next| entry.compare(next, keys) == Ordering::Less)
        });
        newest.map(|(entry, _)| {
            let value = entry.value.clone();
            (
                entry.key(keys),
                value.map(|at| values.get(at).unwrap_or_default()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_of_each_key_comes_in_the_order_of_the_keys() {
        let mut batch = RestoreBatch::default();
        let records: [(&str, Option<&str>); 6] = [
            ("b", Some("old")),
            ("c", Some("gone")),
            ("a", None),
            ("b", Some("new")),
            ("c", None),
            ("a", Some("back")),
        ];
        for (key, value) in records {
            let value = value.map(str::as_bytes);
            batch.push(StoreKind::KeyValue, key.as_bytes(), value, 0);
        }
        let newest: Vec<_> = batch.newest().collect();
        let expected: [(&[u8], Option<&[u8]>); 3] =
            [(b"a", Some(b"back")), (b"b", Some(b"new")), (b"c", None)];
        assert_eq!(newest, expected);
    }
}
