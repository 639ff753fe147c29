//! Rows of a store on disk that were read or written lately, in memory.
//!
//! It holds two generations of rows. A row that is used is in the young one; when that has its share of the memory, it becomes
//! the old one, and what was in the old one and was not used meanwhile is forgotten. So the rows that are used most stay, and
//! none of them has to be moved when it is read.

use super::sharing::{User, Users};
use hashbrown::HashMap;

/// What the rows of all stores of a job may take up in memory, about: a store that has had more for itself gives it up with the
/// next rows that it reads.
const BYTES: usize = 64 << 20;

/// What a row takes up beside the bytes of its key and value: its place in the map, and two allocations.
const OVERHEAD: usize = 112;

/// Divides the memory among the stores of a job that hold rows: those that are only scanned or written hold none.
#[derive(Clone, Debug, Default)]
pub(super) struct RowCaches {
    users: Users,
}

impl RowCaches {
    /// The cache of a store.
    pub(super) fn open(&self) -> RowCache {
        RowCache {
            young: Generation::default(),
            old: Generation::default(),
            user: self.users.user(),
            caches: self.clone(),
        }
    }

    /// What a generation of each store may hold.
    fn share(&self) -> usize {
        self.users.share_of(BYTES) / 2
    }
}

/// The value of a row; `None` where the store has no such row.
pub(super) type Row = Option<fjall::Slice>;

#[derive(Debug, Default)]
struct Generation {
    rows: HashMap<fjall::Slice, Row>,
    bytes: usize,
}

impl Generation {
    fn put(&mut self, key: fjall::Slice, value: Row) {
        self.bytes += size(&key, &value);
        self.rows.insert(key, value);
    }

    fn take(&mut self, key: &[u8]) -> Option<(fjall::Slice, Row)> {
        let (key, value) = self.rows.remove_entry(key)?;
        self.bytes -= size(&key, &value);
        Some((key, value))
    }
}

fn size(key: &[u8], value: &Row) -> usize {
    OVERHEAD + key.len() + value.as_ref().map_or(0, |value| value.len())
}

/// The rows of one store.
#[derive(Debug)]
pub(super) struct RowCache {
    young: Generation,
    old: Generation,
    caches: RowCaches,
    user: User,
}

impl RowCache {
    /// The row of a key, if it is known: `Some(None)` where the store has none.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<Row> {
        if let Some(value) = self.young.rows.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.take(key)?;
        self.add(key, value.clone());
        Some(value)
    }

    /// A row was read from the store.
    pub(super) fn read(&mut self, key: &[u8], value: Row) {
        self.add(key.into(), value);
    }

    /// A row was written to the store. Only what was read before is kept: rows that are only ever written need no room.
    pub(super) fn written(&mut self, key: &[u8], value: Option<&[u8]>) {
        if let Some(known) = self.young.rows.get_mut(key) {
            self.young.bytes -= size(key, known);
            *known = value.map(fjall::Slice::from);
            self.young.bytes += size(key, known);
            // It may have grown.
            if self.young.bytes > self.caches.share() {
                self.old = std::mem::take(&mut self.young);
            }
        } else if let Some((key, _)) = self.old.take(key) {
            self.add(key, value.map(fjall::Slice::from));
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
        self.user.end();
    }

    fn add(&mut self, key: fjall::Slice, value: Row) {
        self.user.begin();
        let (size, share) = (size(&key, &value), self.caches.share());
        if self.young.bytes + size > share {
            self.old = std::mem::take(&mut self.young);
        }
        // One that would not leave room for others is read again.
        if size <= share / 2 {
            self.young.put(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> Row {
        Some(fjall::Slice::from(bytes))
    }

    fn held(cache: &RowCache) -> usize {
        let rows = cache.young.rows.iter().chain(&cache.old.rows);
        rows.map(|(key, value)| size(key, value)).sum()
    }

    #[test]
    fn what_was_read_is_known_and_follows_what_is_written() {
        let mut cache = RowCaches::default().open();
        cache.read(b"a", value(b"1"));
        cache.read(b"b", None);
        assert_eq!(cache.get(b"a"), Some(value(b"1")));
        assert_eq!(cache.get(b"b"), Some(None));
        cache.written(b"a", None);
        cache.written(b"b", Some(b"22"));
        cache.written(b"c", Some(b"3"));
        assert_eq!(cache.get(b"a"), Some(None));
        assert_eq!(cache.get(b"b"), Some(value(b"22")));
        assert_eq!(cache.get(b"c"), None, "nobody has read it");
        assert_eq!(held(&cache), cache.young.bytes);
        cache.clear();
        assert_eq!(cache.get(b"b"), None);
    }

    #[test]
    fn rows_that_are_used_outlive_rows_that_are_not_and_all_keep_to_the_limit() {
        let caches = RowCaches::default();
        let mut cache = caches.open();
        let mut others: Vec<RowCache> = (0..63).map(|_| caches.open()).collect();
        for other in &mut others {
            other.read(b"row", None);
        }
        cache.read(b"row", None);
        assert_eq!(caches.share(), 512 << 10);
        cache.read(b"used", value(b"0"));
        cache.read(b"not used", value(b"0"));
        for number in 0..20_000_u32 {
            cache.read(&number.to_be_bytes(), value(&[7; 100]));
            let written = number.to_be_bytes();
            cache.written(b"used", Some(&written));
            assert_eq!(cache.get(b"used"), Some(value(&written)));
            assert!(cache.young.bytes + cache.old.bytes <= 1 << 20);
        }
        assert_eq!(held(&cache), cache.young.bytes + cache.old.bytes);
        assert_eq!(cache.get(b"not used"), None);
    }

    #[test]
    fn a_row_that_is_written_in_the_old_generation_is_not_read_as_it_was() {
        let caches = RowCaches::default();
        let mut cache = caches.open();
        cache.read(b"a", value(b"1"));
        cache.old = std::mem::take(&mut cache.young);
        cache.written(b"a", Some(b"2"));
        assert_eq!(cache.get(b"a"), Some(value(b"2")));
        drop(cache);
        assert_eq!(caches.users.count(), 0);
    }

    #[test]
    fn rows_that_grow_keep_to_the_limit() {
        let caches = RowCaches::default();
        let mut cache = caches.open();
        let keys: Vec<[u8; 4]> = (0..10_000_u32).map(u32::to_be_bytes).collect();
        for key in &keys {
            cache.read(key, value(b"1"));
        }
        let grown = [7; 10_000];
        for key in &keys {
            cache.written(key, Some(&grown));
            assert!(cache.young.bytes + cache.old.bytes <= BYTES);
        }
        assert_eq!(held(&cache), cache.young.bytes + cache.old.bytes);
        let huge = vec![7; BYTES / 2];
        cache.read(b"huge", value(&huge));
        cache.written(&[0; 4], Some(&huge));
        assert_eq!(cache.get(b"huge"), None);
        assert!(held(&cache) <= BYTES);
    }
}
