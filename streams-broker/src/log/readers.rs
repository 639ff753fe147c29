//! Who waits for a partition to grow.
//!
//! Invariant: a connection is listed at most once, however often it waits; connections that are gone drop out at the next
//! registration.

use std::sync::{Arc, Weak};

use tokio::sync::Notify;

/// A connection that waits for records, on one or many partitions.
pub(crate) type Reader = Arc<Notify>;

/// The readers that wait on one partition.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    waiting: Vec<Weak<Notify>>,
}

impl Readers {
    /// Wakes this reader when the partition has changed next.
    pub(crate) fn register(&mut self, reader: &Reader) {
        self.waiting.retain(|other| other.strong_count() > 0);
        if !self
            .waiting
            .iter()
            .any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(reader)))
        {
            self.waiting.push(Arc::downgrade(reader));
        }
    }

    /// Wakes all that wait, once.
    pub(crate) fn wake(&mut self) {
        for reader in self.waiting.drain(..).filter_map(|reader| reader.upgrade()) {
            reader.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_listed_once_and_leaves_with_its_connection() {
        let mut readers = Readers::default();
        let reader = Reader::default();
        readers.register(&reader);
        readers.register(&reader);
        assert_eq!(readers.waiting.len(), 1);
        drop(reader);
        readers.register(&Reader::default());
        assert_eq!(readers.waiting.len(), 1);
    }
}
