//! The last offset of each key, as a compaction needs it.
//!
//! Invariant: it takes a bounded number of bytes a key, however long the keys are, since of a key its hash is kept; and no
//! more keys than the limit, but for those of one batch.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// As many keys as fit into `log.cleaner.dedupe.buffer.size` of Apache Kafka, 128 MiB, by its default.
pub(super) const MOST_KEYS: usize = 5_000_000;

/// Offsets by keys.
#[derive(Debug)]
pub(super) struct Latest {
    offsets: HashMap<[u64; 2], i64>,
    /// With random keys of their own: that all 128 bits of two keys are the same doesn't happen.
    hashers: [RandomState; 2],
    most: usize,
}

impl Latest {
    pub(super) fn new(most: usize) -> Self {
        Self {
            offsets: HashMap::new(),
            hashers: [RandomState::new(), RandomState::new()],
            most,
        }
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(key))
    }

    /// The key is at this offset, after all that were put before.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) {
        self.offsets.insert(self.hash(key), offset);
    }

    /// Whether the key comes again after this offset.
    pub(super) fn has_later(&self, key: &[u8], offset: i64) -> bool {
        let latest = self.offsets.get(&self.hash(key));
        latest.is_some_and(|latest| *latest > offset)
    }

    /// Whether no more keys should be put.
    pub(super) fn is_full(&self) -> bool {
        self.offsets.len() >= self.most
    }
}
