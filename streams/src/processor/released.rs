//! Records that waited in a buffer, and updates that waited in the record cache, and have left it: each is work of its own,
//! apart from the record that released it, so that the one that fails is the one that is dealt with.

use super::Headers;
use std::collections::VecDeque;

/// A record that has waited.
#[derive(Debug)]
pub(crate) struct Released {
    /// The slot of its buffer, or of its table.
    pub(crate) buffer: usize,
    pub(crate) key: Vec<u8>,
    /// `None` is a removal from a table.
    pub(crate) value: Option<Vec<u8>>,
    /// Of a table's update, what the record cache has kept: see [`Held`](super::Held).
    pub(crate) old: Option<Vec<u8>>,
    pub(crate) timestamp: i64,
    pub(crate) headers: Headers,
}

/// What buffers have released in a task. It is empty between two records: whoever gives the task a record has it work off
/// what that has released before anything is committed.
#[derive(Debug, Default)]
pub(crate) struct ReleasedRecords {
    /// By the record that is being processed, which may still fail: its buffers then have them again.
    pending: Vec<Released>,
    waiting: VecDeque<Released>,
}

impl ReleasedRecords {
    pub(crate) fn push(&mut self, released: Released) {
        self.pending.push(released);
    }

    /// Between two records.
    pub(crate) fn push_waiting(&mut self, released: Released) {
        self.waiting.push_back(released);
    }

    /// The record is done. What it has released comes before what waits: if it had itself waited, the next one of its buffer
    /// leaves when everything that it led to is done, as in Kafka Streams, where a record that leaves goes all of its way at
    /// once.
    #[inline]
    pub(crate) fn keep(&mut self) {
        if !self.pending.is_empty() {
            let pending = self.pending.drain(..).rev();
            pending.for_each(|released| self.waiting.push_front(released));
        }
    }

    /// The record has failed.
    pub(crate) fn rollback(&mut self) {
        self.pending.clear();
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next one.
    pub(crate) fn take(&mut self) -> Option<Released> {
        self.waiting.pop_front()
    }
}
