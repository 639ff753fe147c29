//! How updates leave the record cache: one by one, between two records, each as work of its own
//! ([`Task::punctuate`]).

use super::{Context, Held, Outcome, ProcessorFailure, Released, Task};
use crate::state::ValueAndTimestamp;

/// Which updates leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// All, since a checkpoint comes: in the order of the flow, for what one table sends on may wait again in one behind it
    /// (`org.apache.kafka.streams.processor.internals.ProcessorStateManager#flushCache`).
    All,
    /// Those that have waited the longest, since the cache is full.
    Oldest,
}

impl Task {
    /// The bytes of the updates that wait.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        self.cx.cache.bytes()
    }

    /// Has the next update leave the record cache, to be worked on by [`punctuate`](Task::punctuate). `false` if none waits.
    ///
    /// # Errors
    ///
    /// If a store cannot be read.
    pub(crate) fn forward_held(&mut self, which: Forwarding) -> Result<bool, ProcessorFailure> {
        while let Some((slot, held)) = self.cx.take_held(which) {
            let Some(table) = self.graph.processors.get(slot).map(|spec| spec.node) else {
                continue;
            };
            match self.cx.newest(slot, held) {
                Ok(None) => {}
                Ok(Some(update)) => {
                    self.cx.released.push_waiting(update);
                    return Ok(true);
                }
                Err(failure) => return Err(self.failure_of(table, failure)),
            }
        }
        Ok(false)
    }
}

impl Context {
    fn take_held(&mut self, which: Forwarding) -> Option<(usize, Held)> {
        match which {
            Forwarding::All => self.cache.take_first(&self.graph.kept_in_flow),
            Forwarding::Oldest => self.cache.take_oldest(),
        }
    }

    /// The update of a row, to what it is now. None where there was no row and is none: nobody was told of what has been in
    /// between (`org.apache.kafka.streams.state.internals.CachingKeyValueStore#putAndMaybeForward`).
    ///
    /// The time is that of the value, or of the update that removed it, which is the newest one either way
    /// (`org.apache.kafka.streams.kstream.internals.TimestampedCacheFlushListener`).
    fn newest(&self, slot: usize, held: Held) -> Outcome<Option<Released>> {
        let spec = self.graph.processors.get(slot);
        let Some(store) = spec.and_then(|spec| spec.table) else {
            return Ok(None);
        };
        let entry = self.state.store(store)?.get(&held.key)?;
        if entry.is_none() && held.old.is_none() {
            return Ok(None);
        }
        let value = match &entry {
            None => None,
            Some(entry) => match ValueAndTimestamp::<()>::split(entry) {
                Some((_, value)) => Some(value.to_vec()),
                None => return Err(self.corrupt(store, "an entry has no room for its timestamp")),
            },
        };
        Ok(Some(Released {
            buffer: slot,
            key: held.key,
            value,
            old: held.old,
            timestamp: held.newest.timestamp,
            headers: held.newest.headers,
        }))
    }
}
