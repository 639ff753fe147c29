//! What was written to a store since the last checkpoint.

use super::{KeyRange, Order};
use std::collections::BTreeMap;

/// The writes of a store that are not committed. `None` is a removal.
///
/// The writes of the record that is being processed are remembered until it is done ([`keep`](Self::keep)) or has failed
/// ([`rollback`](Self::rollback)). Buffers are used again, so a hot key costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    undo: Vec<Undo>,
    spare: Vec<Vec<u8>>,
}

/// Writes in the order of their keys.
pub(crate) type WrittenInRange<'o> = Box<dyn Iterator<Item = (&'o [u8], Option<&'o [u8]>)> + 'o>;

/// What a write has replaced.
#[derive(Debug)]
struct Undo {
    key: Vec<u8>,
    before: Before,
}

#[derive(Debug)]
enum Before {
    NotWritten,
    Written(Option<Vec<u8>>),
}

fn size(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len)
}

impl Overlay {
    /// What was written to the key, if anything was: `Some(None)` is a removal.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.entries.get(key).map(Option::as_deref)
    }

    /// Writes a value, or a removal.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let undo_key = copy(&mut self.spare, key);
        let value = value.map(|value| copy(&mut self.spare, value));
        self.bytes += size(key, value.as_deref());
        let before = match self.entries.get_mut(key) {
            Some(slot) => {
                let old = std::mem::replace(slot, value);
                self.bytes -= size(key, old.as_deref());
                Before::Written(old)
            }
            None => {
                self.entries.insert(key.to_vec(), value);
                Before::NotWritten
            }
        };
        self.undo.push(Undo {
            key: undo_key,
            before,
        });
    }

    /// The record is done: its writes stay.
    #[inline]
    pub(crate) fn keep(&mut self) {
        if self.undo.is_empty() {
            return;
        }
        for Undo { key, before } in self.undo.drain(..) {
            self.spare.push(key);
            if let Before::Written(Some(value)) = before {
                self.spare.push(value);
            }
        }
    }

    /// The record has failed: its writes are taken back, the last one first.
    pub(crate) fn rollback(&mut self) {
        while let Some(Undo { key, before }) = self.undo.pop() {
            let written = match before {
                Before::NotWritten => self.entries.remove(&key),
                Before::Written(old) => {
                    self.bytes += size(&key, old.as_deref());
                    self.entries
                        .get_mut(&key)
                        .map(|slot| std::mem::replace(slot, old))
                }
            };
            if let Some(written) = written {
                self.bytes -= size(&key, written.as_deref());
            }
        }
    }

    /// Forgets everything: it was applied, or the transaction was aborted.
    pub(crate) fn clear(&mut self) {
        self.undo.clear();
        self.spare.clear();
        self.entries.clear();
        self.bytes = 0;
    }

    /// The bytes of its keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All writes, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// The writes in a range.
    pub(crate) fn range(&self, range: &KeyRange, order: Order) -> WrittenInRange<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let entries = self.entries.range::<[u8], _>(range.as_bounds());
        let entries = entries.map(|(key, value)| (key.as_slice(), value.as_deref()));
        match order {
            Order::Ascending => Box::new(entries),
            Order::Descending => Box::new(entries.rev()),
        }
    }
}

fn copy(spare: &mut Vec<Vec<u8>>, bytes: &[u8]) -> Vec<u8> {
    let mut copy = spare.pop().unwrap_or_default();
    copy.clear();
    copy.extend_from_slice(bytes);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(overlay: &Overlay) -> Vec<(&[u8], Option<&[u8]>)> {
        overlay.iter().collect()
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
}
