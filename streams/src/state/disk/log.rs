//! What was written to a task's part of a store since the last table was made of it: in memory, and as a log in the database.
//!
//! When the database is opened it reads its journal, which takes as long as that has entries. So a batch is one entry, however
//! many rows it has, in a keyspace that all logs share; and when a log has its share of the memory, a sorted table is made of
//! all its rows, which goes around the journal. The table says which batch is the first that is not in it: whatever dies, those
//! before it do not count.

use super::super::overlay::{Write, WrittenInRange};
use super::super::sharing::{User, Users};
use super::super::{KeyRange, Order, Overlay, StoreError};
use super::batch::{self, Batch, Damaged};
use super::place::{LOGGED, Place};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};
use std::ops::Range;

/// No store is called so: it is no legal name.
const KEYSPACE: &str = "#log";

/// What the rows of all logs of a job may take up in memory, about.
const BYTES: usize = 128 << 20;

/// What those of one may take up if it is one of few, and if it is one of many.
const MOST: usize = 32 << 20;
const LEAST: usize = 1 << 20;

/// How many times as much as is in a log its rows may take up in memory: what is read at a start is bounded too, where the
/// same rows are written again and again.
const READ: usize = 2;

/// What a batch counts beside its bytes: reading it takes as long as reading a few rows.
const BATCH: usize = 512;

/// How much of the logs' keyspace is in memory before it is written to a table, without the batches that were removed by then.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The logs of a database.
#[derive(Clone)]
pub(super) struct Logs {
    keyspace: Keyspace,
    users: Users,
}

impl Logs {
    pub(super) fn open(database: &Database) -> fjall::Result<Self> {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        Ok(Self {
            keyspace: database.keyspace(KEYSPACE, options)?,
            users: Users::default(),
        })
    }

    /// How many batches there are in the database.
    #[cfg(test)]
    pub(super) fn batches(&self) -> usize {
        self.keyspace.iter().count()
    }

    #[cfg(test)]
    pub(super) fn users(&self) -> &Users {
        &self.users
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
        self.users.share_of(BYTES).clamp(LEAST, MOST)
    }
}

/// The log of a task's part of a store.
pub(super) struct Log {
    logs: Logs,
    /// What its keys in the database begin with.
    prefix: Vec<u8>,
    /// The number of the oldest batch that is in the database, though it may be in a table already.
    oldest: u64,
    /// The numbers of the batches that are in no table.
    batches: Range<u64>,
    rows: Overlay,
    /// How far the store reaches with them, as it is stored; `None` where that is what its tables say.
    reached: Option<Vec<u8>>,
    /// What reading it takes, in bytes.
    bytes: usize,
    /// A user of memory while it has rows.
    user: User,
}

impl Log {
    /// The log as it was left.
    pub(super) fn open(logs: &Logs, place: &Place) -> Result<Self, StoreError> {
        let failed = |error: fjall::Error| place.failed("opening", &error);
        let damaged = |Damaged| place.damaged("log");
        let first = place.keyspace.get(place.prefixed(LOGGED, &[]));
        let first = first.map_err(failed)?.as_deref().map_or(Ok(0), number);
        let first = first.map_err(damaged)?;
        let mut log = Self {
            logs: logs.clone(),
            prefix: prefix(&place.name, place.partition),
            oldest: first,
            batches: first..first,
            rows: Overlay::default(),
            reached: None,
            bytes: 0,
            user: logs.users.user(),
        };
        if let Some(oldest) = logs.keyspace.prefix(&log.prefix).next() {
            let oldest = log.number_of(&oldest.key().map_err(failed)?);
            log.oldest = oldest.map_err(damaged)?.min(first);
        }
        // Those before it are in a table.
        for entry in logs.keyspace.range(log.key(first)..=log.key(u64::MAX)) {
            let (key, batch) = entry.into_inner().map_err(failed)?;
            if log.number_of(&key) != Ok(log.batches.end) {
                return Err(damaged(Damaged));
            }
            log.add(&batch).map_err(damaged)?;
            log.batches.end += 1;
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

    /// Whether there is nothing of it in the database.
    pub(super) fn is_empty(&self) -> bool {
        self.oldest == self.batches.end
    }

    pub(super) fn has_rows(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Whether a batch is an offset and no more, and takes the place of one that is no more either.
    ///
    /// A log that never has rows, as for the position of a global table, so never becomes a table: a table is synced, and the
    /// rows that belong to the position, which are in another log, are not. In the journal it is behind them.
    fn replaces_the_last(&self, batch: &Batch) -> bool {
        batch.len() == 0 && !self.has_rows() && !self.batches.is_empty()
    }

    pub(super) fn has_room_for(&self, batch: &Batch) -> bool {
        let bytes = batch.as_bytes().len();
        let read = READ * (self.bytes + BATCH + bytes);
        let memory = self.rows.memory() + Overlay::memory_of(batch.len(), bytes);
        self.replaces_the_last(batch) || read.max(memory) <= self.logs.share()
    }

    /// Writes a batch behind the others.
    pub(super) fn append(
        &mut self,
        mut transaction: OwnedWriteBatch,
        batch: &Batch,
    ) -> fjall::Result<()> {
        let next = self.batches.end;
        let at = match self.replaces_the_last(batch) {
            true => next - 1,
            false => next,
        };
        transaction.insert(&self.logs.keyspace, self.key(at), batch.as_bytes());
        transaction.commit()?;
        self.batches.end = at + 1;
        self.add_in_memory(batch);
        Ok(())
    }

    /// Takes a batch on in memory alone: a table is about to be made of all.
    pub(super) fn add_in_memory(&mut self, batch: &Batch) {
        // It was made here.
        let added = self.add(batch.as_bytes());
        debug_assert_eq!(added, Ok(()));
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
        if self.has_rows() {
            self.bytes += BATCH + batch.len();
            self.user.begin();
        }
        Ok(())
    }

    /// The newest write of each row, in the order of the keys.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Write<'_>> {
        self.rows.in_order()
    }

    /// The number, as it is stored, of the first batch that is not in a table which is made of all now.
    pub(super) fn first_in_no_table(&self) -> [u8; 8] {
        self.batches.end.to_be_bytes()
    }

    /// Begins anew: all is in a table, or is not wanted any more.
    pub(super) fn clear(&mut self, transaction: &mut OwnedWriteBatch) {
        for at in self.oldest..self.batches.end {
            transaction.remove(&self.logs.keyspace, self.key(at));
        }
        self.oldest = self.batches.end;
        self.batches.start = self.batches.end;
        // Its memory is others' from now on.
        self.rows = Overlay::default();
        self.reached = None;
        self.bytes = 0;
        self.user.end();
    }

    fn key(&self, at: u64) -> Vec<u8> {
        [self.prefix.as_slice(), &at.to_be_bytes()].concat()
    }

    fn number_of(&self, key: &[u8]) -> Result<u64, Damaged> {
        number(key.get(self.prefix.len()..).unwrap_or_default())
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
