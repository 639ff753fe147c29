//! What was written to a task's part of a store since the last table was made of it: in memory, and as a log in the database.
//!
//! When the database is opened it reads its journal, which takes as long as that has entries. So a batch is one entry, however
//! many rows it has, in a keyspace that all logs share; and when a log has its share of the memory, a sorted table is made of
//! all its rows, which goes around the journal. The table says which batch is the first that is not in it: whatever dies, those
//! before it do not count.

use super::super::overlay::WrittenInRange;
use super::super::{KeyRange, Order, Overlay, StoreError};
use super::batch::{self, Batch, Damaged};
use super::place::{LOGGED, Place};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// No store is called so: it is no legal name.
const KEYSPACE: &str = "#log";

/// What the logs of all stores of a job may take up, about.
const BYTES: usize = 32 << 20;

/// What a log may take up if it is one of few, and if it is one of many.
const MOST: usize = 16 << 20;
const LEAST: usize = 256 << 10;

/// What a batch counts beside its bytes: reading it takes as long as reading a few rows.
const BATCH: usize = 512;

/// How much of the logs' keyspace is in memory before it is written to a table, without what is in tables of its store by then.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The logs of a database.
#[derive(Clone)]
pub(super) struct Logs {
    keyspace: Keyspace,
    in_use: Arc<AtomicUsize>,
}

impl Logs {
    pub(super) fn open(database: &Database) -> fjall::Result<Self> {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        Ok(Self {
            keyspace: database.keyspace(KEYSPACE, options)?,
            in_use: Arc::default(),
        })
    }

    /// How many batches there are in the database.
    #[cfg(test)]
    pub(super) fn batches(&self) -> usize {
        self.keyspace.iter().count()
    }

    /// Replaces or removes a batch.
    #[cfg(test)]
    pub(super) fn damage(&self, store: &str, partition: i32, at: u64, batch: Option<&[u8]>) {
        let key = [prefix(store, partition).as_slice(), &at.to_be_bytes()].concat();
        let damaged = match batch {
            Some(batch) => self.keyspace.insert(key, batch),
            None => self.keyspace.remove(key),
        };
        assert!(damaged.is_ok());
    }

    /// What one of them may take up.
    fn share(&self) -> usize {
        (BYTES / self.in_use.load(Ordering::Relaxed).max(1)).clamp(LEAST, MOST)
    }
}

/// Whether a log counts among those that have something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    None,
    Counted,
}

/// The log of a task's part of a store.
pub(super) struct Log {
    logs: Logs,
    /// What its keys in the database begin with.
    prefix: Vec<u8>,
    /// The numbers of its batches that are in the database.
    batches: Range<u64>,
    rows: Overlay,
    /// How far the store reaches with them, as it is stored; `None` where that is what its tables say.
    reached: Option<Vec<u8>>,
    bytes: usize,
    state: Use,
}

impl Log {
    /// The log as it was left.
    pub(super) fn open(logs: &Logs, place: &Place) -> Result<Self, StoreError> {
        let failed = |error: fjall::Error| place.failed("opening", &error);
        let mut log = Self {
            logs: logs.clone(),
            prefix: prefix(&place.name, place.partition),
            batches: 0..0,
            rows: Overlay::default(),
            reached: None,
            bytes: 0,
            state: Use::None,
        };
        let first = place.keyspace.get(place.prefixed(LOGGED, &[]));
        let first = first.map_err(failed)?.as_deref().map_or(Ok(0), number);
        let first = first.map_err(|Damaged| damaged(place))?;
        log.batches = first..first;
        let mut next = first;
        for entry in logs.keyspace.prefix(&log.prefix) {
            let (key, batch) = entry.into_inner().map_err(failed)?;
            let at = number(key.get(log.prefix.len()..).unwrap_or_default());
            let at = at.map_err(|Damaged| damaged(place))?;
            log.batches = log.batches.start.min(at)..log.batches.end.max(at + 1);
            // The others are in a table already.
            if at >= first {
                let added = if at == next {
                    log.add(&batch)
                } else {
                    Err(Damaged)
                };
                added.map_err(|Damaged| damaged(place))?;
                next += 1;
            }
        }
        Ok(log)
    }

    /// What was written to the key, if anything was: `Some(None)` is a removal.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows.get(key)
    }

    /// The writes in a range.
    pub(super) fn range(&self, range: &KeyRange, order: Order) -> WrittenInRange<'_> {
        self.rows.range(range, order)
    }

    /// How far the store reaches, as it is stored; `None` where that is what its tables say.
    pub(super) fn reached(&self) -> Option<&[u8]> {
        self.reached.as_deref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state == Use::None
    }

    pub(super) fn has_room_for(&self, batch: &Batch) -> bool {
        self.bytes + BATCH + batch.as_bytes().len() <= self.logs.share()
    }

    /// Writes a batch behind the others.
    pub(super) fn append(
        &mut self,
        mut transaction: OwnedWriteBatch,
        batch: &Batch,
    ) -> fjall::Result<()> {
        let key = self.key(self.batches.end);
        transaction.insert(&self.logs.keyspace, key, batch.as_bytes());
        transaction.commit()?;
        self.batches.end += 1;
        self.take(batch);
        Ok(())
    }

    /// Takes a batch on in memory alone: a table is about to be made of all.
    pub(super) fn take(&mut self, batch: &Batch) {
        // It was made here.
        let taken = self.add(batch.as_bytes());
        debug_assert_eq!(taken, Ok(()));
    }

    fn add(&mut self, batch: &[u8]) -> Result<(), Damaged> {
        let (reached, rows) = batch::read(batch)?;
        for row in rows {
            let (key, value) = row?;
            self.rows.put(key, value);
            self.rows.keep();
        }
        if let Some(reached) = reached {
            self.reached = Some(reached.to_vec());
        }
        self.bytes += BATCH + batch.len();
        if std::mem::replace(&mut self.state, Use::Counted) == Use::None {
            self.logs.in_use.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The newest write of each row, in the order of the keys.
    pub(super) fn in_order(&self) -> impl Iterator<Item = batch::Row<'_>> {
        self.rows.in_order()
    }

    /// The number of the next batch, as it is stored: the first that is not in a table which is made now.
    pub(super) fn next(&self) -> [u8; 8] {
        self.batches.end.to_be_bytes()
    }

    /// Begins anew: all is in a table, or is not wanted any more.
    pub(super) fn clear(&mut self, transaction: &mut OwnedWriteBatch) {
        for at in self.batches.clone() {
            transaction.remove(&self.logs.keyspace, self.key(at));
        }
        self.batches.start = self.batches.end;
        self.rows.clear();
        self.reached = None;
        self.bytes = 0;
        self.be_unused();
    }

    fn key(&self, at: u64) -> Vec<u8> {
        [self.prefix.as_slice(), &at.to_be_bytes()].concat()
    }

    fn be_unused(&mut self) {
        if std::mem::replace(&mut self.state, Use::None) == Use::Counted {
            self.logs.in_use.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.be_unused();
    }
}

/// What the keys of a log begin with: no name has a zero.
fn prefix(store: &str, partition: i32) -> Vec<u8> {
    [store.as_bytes(), &[0], &partition.to_be_bytes()].concat()
}

fn number(stored: &[u8]) -> Result<u64, Damaged> {
    let stored = stored.try_into().map_err(|_| Damaged)?;
    Ok(u64::from_be_bytes(stored))
}

#[cold]
fn damaged(place: &Place) -> StoreError {
    StoreError {
        store: place.name.clone(),
        doing: "opening",
        reason: format!(
            "its log is damaged; delete the directory {}, and the changelogs restore what was in it",
            place.directory.display()
        ),
    }
}
