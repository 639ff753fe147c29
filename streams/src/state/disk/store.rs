//! The part of a store that is one task's: a log over sorted tables.

use super::super::merged::Merged;
use super::super::row_cache::RowCache;
use super::super::{
    Committed, Kept, KeyRange, Order, Origin, Reached, Residence, Scan, StoreError, Value, Writes,
};
use super::batch::Batch;
use super::log::Log;
use super::offset::{decode, encode};
use super::place::{ENTRY, LONGEST_KEY, OFFSET, PREFIX, Place};
use super::table::{self, Marks, Reach, Sink, TableRows};
use super::{Ingestion, UNMERGED_TABLES};
use crate::fail_point::{FailPoint, pass};
use fjall::{Database, OwnedWriteBatch, PersistMode};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Bound;
use std::time::{Duration, Instant};

/// From this size on a batch of a restore becomes a table of its own, which costs some waiting for the disk.
pub(super) const TABLE_BYTES: usize = 4 << 20;

/// A store that has more unmerged tables than this gives merging some time before it makes another one of its log.
const MANY_TABLES: usize = 3 * UNMERGED_TABLES as usize;

/// How long that is at the most, and how often it looks whether it was enough.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_millis(10);

/// The part of a store that is one task's.
pub(crate) struct DiskStore {
    database: Database,
    pub(super) place: Place,
    pub(super) log: Log,
    read: RefCell<Read>,
    /// What is written from now on is of this.
    origin: Option<Origin>,
    /// Why a write has failed. Nothing is read after that: what is in memory may not be what is on disk.
    failure: Option<StoreError>,
}

/// What reading a row changes.
struct Read {
    /// For the key that is being looked up.
    key: Vec<u8>,
    /// What they hold is what is on disk.
    rows: RowCache,
}

impl DiskStore {
    pub(super) fn new(database: Database, place: Place, log: Log, rows: RowCache) -> Self {
        let read = RefCell::new(Read {
            key: Vec::new(),
            rows,
        });
        Self {
            database,
            place,
            log,
            read,
            origin: None,
            failure: None,
        }
    }

    /// The range of keys in the keyspace: never beyond the task's own entries.
    fn bounds(&self, range: &KeyRange) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let own = KeyRange::prefix(&self.place.prefixed(ENTRY, &[]));
        let prefixed = |bound: &Bound<Vec<u8>>, end: Bound<Vec<u8>>| match bound {
            Bound::Included(key) => Bound::Included(self.place.prefixed(ENTRY, key)),
            Bound::Excluded(key) => Bound::Excluded(self.place.prefixed(ENTRY, key)),
            Bound::Unbounded => end,
        };
        // No row is as long as a bound that is too long: it is above the bound if it is above the bound's beginning.
        let cut = |bound: &Bound<Vec<u8>>| match bound {
            Bound::Included(key) | Bound::Excluded(key) if key.len() > LONGEST_KEY => key
                .get(..LONGEST_KEY)
                .map(|key| self.place.prefixed(ENTRY, key)),
            _ => None,
        };
        let from = cut(&range.from).map(Bound::Excluded);
        let to = cut(&range.to).map(Bound::Included);
        (
            from.unwrap_or_else(|| prefixed(&range.from, own.from)),
            to.unwrap_or_else(|| prefixed(&range.to, own.to)),
        )
    }

    /// An error if a write has failed.
    fn check(&self) -> Result<(), StoreError> {
        match &self.failure {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// Keeps in mind that a write has failed.
    fn noted<T>(&mut self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        written.inspect_err(|failure| self.failure = Some(failure.clone()))
    }

    /// These writes as a batch, unless one of them cannot be kept.
    fn batch_of(
        &self,
        writes: Writes<'_, '_>,
        reached: Option<Reached>,
    ) -> Result<Batch, StoreError> {
        let mut batch = Batch::new(reached.map(|r| encode(r, self.origin)).as_deref());
        for (key, value) in writes {
            self.place.takes(key)?;
            batch.push(key, value);
        }
        Ok(batch)
    }

    /// Writes a batch to the log, or all that is in the log into a table together with it.
    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.log.has_room_for(batch) {
            let logged = self.log.append(self.transaction(), batch);
            return logged.map_err(|e| self.place.failed("writing", &e));
        }
        self.log.add_in_memory(batch);
        self.write_table()
    }

    /// Makes a table of all that is in the log.
    fn write_table(&mut self) -> Result<(), StoreError> {
        self.wait_for_merging();
        let reach = self.log.reached().map_or(Reach::Unchanged, Reach::To);
        self.replace_log("writing", &self.log, reach)
            .and_then(|()| self.end_log())
    }

    /// Writes a table after which nothing counts that is in the log.
    fn replace_log(
        &self,
        doing: &'static str,
        rows: impl TableRows,
        reach: Reach<'_>,
    ) -> Result<(), StoreError> {
        let marks = Marks {
            logged: Some(self.log.first_in_no_table()),
            reach,
        };
        table::write(&self.place, doing, rows, &marks, |_| {
            pass(FailPoint::InTable);
            Ok(())
        })?;
        pass(FailPoint::AfterTable);
        Ok(())
    }

    /// Removes what does not count any more.
    fn end_log(&mut self) -> Result<(), StoreError> {
        let mut transaction = self.transaction();
        self.log.clear(&mut transaction);
        let ended = transaction.commit();
        ended.map_err(|e| self.place.failed("writing", &e))
    }

    /// Gives merging some time, where it has fallen behind.
    fn wait_for_merging(&self) {
        let since = Instant::now();
        while self.place.keyspace.l0_table_count() > MANY_TABLES && since.elapsed() < LONGEST_WAIT {
            std::thread::sleep(WAIT);
        }
    }

    fn transaction(&self) -> OwnedWriteBatch {
        self.database.batch().durability(Some(PersistMode::Buffer))
    }

    /// Its rows in tables.
    fn entries(&self) -> fjall::Iter {
        self.place.keyspace.range(self.bounds(&KeyRange::ALL))
    }

    fn is_as_new(&self) -> Result<bool, StoreError> {
        let nothing = self.log.is_empty() && self.kept()?.is_none();
        Ok(nothing && self.entries().next().is_none())
    }
}

/// Removals of all that is in tables.
struct Removals<'s>(&'s DiskStore);

impl TableRows for Removals<'_> {
    fn give(&mut self, sink: Sink<'_>) -> Result<(), StoreError> {
        for entry in self.0.entries() {
            let key = entry.key();
            let key = key.map_err(|e| self.0.place.failed("clearing", &e))?;
            sink((key.get(PREFIX..).unwrap_or_default(), None))?;
        }
        Ok(())
    }
}

impl Committed for DiskStore {
    fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        if key.len() > LONGEST_KEY {
            return Ok(None);
        }
        self.check()?;
        let Read {
            key: prefixed,
            rows,
        } = &mut *self.read.borrow_mut();
        if let Some(known) = rows.get(key) {
            return Ok(known.map(Value::Shared));
        }
        if let Some(logged) = self.log.get(key) {
            let found = logged.map(fjall::Slice::from);
            rows.read(key, found.clone());
            return Ok(found.map(Value::Shared));
        }
        prefixed.clear();
        self.place.write_prefix(ENTRY, prefixed);
        prefixed.extend_from_slice(key);
        let found = self.place.keyspace.get(prefixed.as_slice());
        let found = found.map_err(|e| self.place.failed("reading", &e))?;
        // A copy: what was found may be a part of a block, all of which it would keep in memory.
        rows.read(key, found.as_deref().map(fjall::Slice::from));
        Ok(found.map(Value::Shared))
    }

    fn takes(&self, key: &[u8]) -> Result<(), StoreError> {
        self.place.takes(key)
    }

    fn scan(&self, range: &KeyRange, order: Order) -> Scan<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        if let Err(failure) = self.check() {
            return Box::new(std::iter::once(Err(failure)));
        }
        let entries = self.place.keyspace.range(self.bounds(range));
        let entry = |entry: fjall::Guard| {
            let (key, value) = entry
                .into_inner()
                .map_err(|e| self.place.failed("reading", &e))?;
            let key = key.get(PREFIX..).unwrap_or_default().to_vec();
            Ok((Cow::Owned(key), Cow::Owned(value.to_vec())))
        };
        let tables: Scan<'_> = match order {
            Order::Ascending => Box::new(entries.map(entry)),
            Order::Descending => Box::new(entries.rev().map(entry)),
        };
        match self.log.has_rows() {
            true => Box::new(Merged::new(self.log.range(range, order), tables, order)),
            false => tables,
        }
    }

    fn kept(&self) -> Result<Option<Kept>, StoreError> {
        self.check()?;
        let decoded = match self.log.reached() {
            Some(logged) => Some(decode(logged)),
            None => {
                let found = self.place.keyspace.get(self.place.prefixed(OFFSET, &[]));
                let found = found.map_err(|e| self.place.failed("reading", &e))?;
                found.map(|bytes| decode(&bytes))
            }
        };
        let Some(decoded) = decoded else {
            return Ok(None);
        };
        let stored = decoded.ok_or_else(|| self.place.damaged("changelog offset"))?;
        Ok(Some(stored))
    }

    fn set_origin(&mut self, origin: Origin) {
        self.origin = Some(origin);
    }

    fn apply(
        &mut self,
        writes: Writes<'_, '_>,
        reached: Option<Reached>,
    ) -> Result<(), StoreError> {
        self.check()?;
        let batch = self.batch_of(writes, reached)?;
        if batch.len() == 0 && reached.is_none() {
            return Ok(());
        }
        let written = self.write(&batch);
        self.noted(written)?;
        let rows = &mut self.read.get_mut().rows;
        for (key, value) in batch.rows() {
            rows.written(key, value);
        }
        Ok(())
    }

    fn ingestion(&mut self, bytes: usize) -> Result<Option<Ingestion>, StoreError> {
        if bytes < TABLE_BYTES {
            return Ok(None);
        }
        self.check()?;
        self.rest();
        // What is in the log is older.
        if !self.log.is_empty() {
            let written = self.write_table();
            self.noted(written)?;
        }
        Ok(Some(Ingestion::new(self.place.clone(), self.origin)))
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.check()?;
        if self.is_as_new()? {
            return Ok(());
        }
        self.rest();
        let removed = self
            .replace_log("clearing", Removals(self), Reach::Nowhere)
            .and_then(|()| self.end_log());
        self.noted(removed)
    }

    fn rest(&mut self) {
        self.read.get_mut().rows.clear();
    }

    fn residence(&self) -> Residence {
        Residence::Disk
    }
}
