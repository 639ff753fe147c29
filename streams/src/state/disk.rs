//! Stores on disk: one fjall database a process, one keyspace a store, and in it the entries of each task's partition.
//!
//! A key of the keyspace is a tag, the task's partition (four bytes, big-endian) and, for an entry, the entry's key. A
//! store's changelog offset, with the time of its writing, stands in the same keyspace, under a tag of its own: both are written by one batch, and
//! flushed together, so that whatever survives a crash of the machine is a pair that belongs together.
//!
//! A large batch of a restore becomes a table at once, which goes around the journal and the tables in memory. It is sorted,
//! and ends with the offset: the database takes on all of it or nothing.
//!
//! Other batches are handed to the operating system and not synced: a killed process loses nothing, and after a crash of the
//! machine the changelog gives what is missing.
//!
//! Rows that are in use are in memory too (`row_cache`): whatever is read from the database is remembered, and what is written
//! to it corrects what is remembered.

mod ingestion;
mod place;

pub(crate) use ingestion::Ingestion;
use place::{ENTRY, LONGEST_KEY, OFFSET, PREFIX, Place, failed};

use super::row_cache::{RowCache, RowCaches};
use super::{Committed, KeyRange, Order, Reached, Residence, Scan, StoreError, Value, Writes};
use fjall::compaction::Leveled;
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// From this size on a batch of a restore becomes a table of its own, which costs some waiting for the disk.
const TABLE_BYTES: usize = 4 << 20;

/// How many entries one batch removes while a store is cleared.
const CLEARED_AT_ONCE: usize = 10_000;

/// The threads that flush and compact. With two of them, fjall's default for two processors, the one that is kept for
/// flushing hands compactions round in a circle, and never rests, while the other one is at work.
const WORKERS: usize = 4;

/// How many sorted tables, which may overlap, lie on each other before they are merged. A restore of some hundred megabytes
/// is through before that begins, which takes as much of the processor as the restore; a read of a key looks at a filter for
/// each of them.
const UNMERGED_TABLES: u8 = 16;

/// How much of the journals, all of which are read when the database is opened, is kept because of stores that were not written
/// to tables yet: such a store, which rests, is then written. The least that the database takes.
const JOURNALS_BYTES: u64 = 64 << 20;

/// How much of a store is in memory before it is written to a table: what is in one already is passed over quickly when the
/// journals are read, so that a start takes half the time that it would with 64 MB, the database's default.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The unit in which systems tell how much of a file is on disk, in bytes.
const BLOCK: u64 = 512;

fn keyspace_options() -> KeyspaceCreateOptions {
    let merging = Leveled::default().with_l0_threshold(UNMERGED_TABLES);
    KeyspaceCreateOptions::default()
        .compaction_strategy(Arc::new(merging))
        .max_memtable_size(MEMTABLE_BYTES)
}

/// The stores of a process on disk.
#[derive(Clone)]
pub(crate) struct Disk {
    database: Database,
    directory: Arc<Path>,
    rows: RowCaches,
}

impl Disk {
    /// Opens the database in `directory`, which is made if it does not exist. The error says what to do.
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        let at = directory.display();
        let database = Database::builder(directory)
            .worker_threads(WORKERS)
            .max_journaling_size(JOURNALS_BYTES);
        match database.open() {
            Ok(database) => Ok(Self {
                database,
                directory: directory.into(),
                rows: RowCaches::default(),
            }),
            // The state directory is locked by this process, so it can only be one of its own jobs.
            Err(fjall::Error::Locked) => Err(format!(
                "the state stores in {at} are still in use by an earlier job of this process, which was not waited for or \
                 still waits for a broker; wait for its end, or restart the process"
            )),
            Err(error) => Err(format!(
                "the state stores in {at} cannot be opened: {error}; if the directory is damaged, delete it, and the \
                 changelogs restore what was in it"
            )),
        }
    }

    /// How much of journals is read when the database in `directory` is opened: none if there is none yet.
    pub(crate) fn bytes_to_read(directory: &Path) -> u64 {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let journals = entries.filter(|e| e.path().extension().is_some_and(|e| e == "jnl"));
        // What there is on disk: a journal's length is what it may grow to.
        journals
            .filter_map(|journal| Some(journal.metadata().ok()?.blocks() * BLOCK))
            .sum()
    }

    /// The store of a task.
    pub(crate) fn store(&self, name: &str, partition: i32) -> Result<DiskStore, StoreError> {
        let keyspace = self
            .database
            .keyspace(name, keyspace_options)
            .map_err(|error| failed(name, &self.directory, "opening", &error))?;
        Ok(DiskStore {
            database: self.database.clone(),
            place: Place {
                keyspace,
                directory: Arc::clone(&self.directory),
                name: name.to_owned(),
                partition,
            },
            read: RefCell::new(Read {
                key: Vec::new(),
                rows: self.rows.open(),
            }),
        })
    }

    /// What it takes up: tables and journals.
    pub(crate) fn bytes(&self) -> Result<u64, StoreError> {
        let space = self.database.disk_space();
        space.map_err(|error| failed("(all)", &self.directory, "measuring", &error))
    }

    /// Whether anything was ever kept for a store.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.database.keyspace_exists(name)
    }
}

/// The part of a store that is one task's.
pub(crate) struct DiskStore {
    database: Database,
    place: Place,
    read: RefCell<Read>,
}

/// What reading a row changes.
struct Read {
    /// For the key that is being looked up.
    key: Vec<u8>,
    /// What they hold is what is on disk.
    rows: RowCache,
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Stands behind offset and time where the marker of a transaction is to come.
const WRITTEN: u8 = b'w';

/// As it is stored: the offset, and the time of its writing.
fn encode(reached: Reached) -> Vec<u8> {
    let mut stored = [reached.offset().to_be_bytes(), now().to_be_bytes()].concat();
    if let Reached::Written(_) = reached {
        stored.push(WRITTEN);
    }
    stored
}

/// How far a store reached, and when that was written.
fn decode(stored: &[u8]) -> Option<(Reached, i64)> {
    let (offset, rest) = stored.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let offset = i64::from_be_bytes(*offset);
    let reached = match rest {
        [WRITTEN] => Reached::Written(offset),
        [] => Reached::Read(offset),
        _ => return None,
    };
    Some((reached, i64::from_be_bytes(*at)))
}

impl DiskStore {
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

    /// How far it reaches, and when that was written.
    fn stored(&self) -> Result<Option<(Reached, i64)>, StoreError> {
        let found = self.place.keyspace.get(self.place.prefixed(OFFSET, &[]));
        let Some(bytes) = found.map_err(|e| self.place.failed("reading", &e))? else {
            return Ok(None);
        };
        let stored = decode(&bytes).ok_or_else(|| StoreError {
            store: self.place.name.clone(),
            doing: "reading",
            reason: format!(
                "its changelog offset is not one; delete the directory {}, and the changelogs restore what was in it",
                self.place.directory.display()
            ),
        })?;
        Ok(Some(stored))
    }

    /// Writes these entries and how far they reach. After an error the rows in memory may be ahead of the disk.
    fn write(&self, writes: Writes<'_, '_>, reached: Option<Reached>) -> Result<(), StoreError> {
        let mut batch = self.batch();
        let Read {
            key: prefixed,
            rows,
        } = &mut *self.read.borrow_mut();
        for (key, value) in writes {
            self.place.takes(key)?;
            prefixed.clear();
            self.place.write_prefix(ENTRY, prefixed);
            prefixed.extend_from_slice(key);
            let value = value.map(fjall::Slice::from);
            rows.written(key, &value);
            match value {
                Some(value) => batch.insert(&self.place.keyspace, prefixed.as_slice(), value),
                None => batch.remove(&self.place.keyspace, prefixed.as_slice()),
            }
        }
        if let Some(reached) = reached {
            batch.insert(
                &self.place.keyspace,
                self.place.prefixed(OFFSET, &[]),
                encode(reached),
            );
        }
        self.commit(batch)
    }

    fn commit(&self, batch: fjall::OwnedWriteBatch) -> Result<(), StoreError> {
        batch.commit().map_err(|e| self.place.failed("writing", &e))
    }

    fn batch(&self) -> fjall::OwnedWriteBatch {
        self.database.batch().durability(Some(PersistMode::Buffer))
    }
}

impl Committed for DiskStore {
    fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        if key.len() > LONGEST_KEY {
            return Ok(None);
        }
        let Read {
            key: prefixed,
            rows,
        } = &mut *self.read.borrow_mut();
        if let Some(known) = rows.get(key) {
            return Ok(known.map(Value::Shared));
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
        let entries = self.place.keyspace.range(self.bounds(range));
        let entry = |entry: fjall::Guard| {
            let (key, value) = entry
                .into_inner()
                .map_err(|e| self.place.failed("reading", &e))?;
            let key = key.get(PREFIX..).unwrap_or_default().to_vec();
            Ok((Cow::Owned(key), Cow::Owned(value.to_vec())))
        };
        match order {
            Order::Ascending => Box::new(entries.map(entry)),
            Order::Descending => Box::new(entries.rev().map(entry)),
        }
    }

    fn reached(&self) -> Result<Option<Reached>, StoreError> {
        Ok(self.stored()?.map(|(reached, _)| reached))
    }

    fn written_at(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.stored()?.map(|(_, at)| at))
    }

    fn apply(
        &mut self,
        writes: Writes<'_, '_>,
        reached: Option<Reached>,
    ) -> Result<(), StoreError> {
        let applied = self.write(writes, reached);
        if applied.is_err() {
            self.rest();
        }
        applied
    }

    fn ingestion(&mut self, bytes: usize) -> Option<Ingestion> {
        if bytes < TABLE_BYTES {
            return None;
        }
        self.rest();
        Some(Ingestion::new(self.place.clone()))
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.rest();
        let mut batch = self.batch();
        // The offset goes first: it must never stand for entries that are no longer there.
        batch.remove(&self.place.keyspace, self.place.prefixed(OFFSET, &[]));
        for (count, entry) in self
            .place
            .keyspace
            .range(self.bounds(&KeyRange::ALL))
            .enumerate()
        {
            let key = entry.key().map_err(|e| self.place.failed("clearing", &e))?;
            batch.remove(&self.place.keyspace, key);
            if count % CLEARED_AT_ONCE == CLEARED_AT_ONCE - 1 {
                self.commit(std::mem::replace(&mut batch, self.batch()))?;
            }
        }
        self.commit(batch)
    }

    fn rest(&mut self) {
        self.read.get_mut().rows.clear();
    }

    fn residence(&self) -> Residence {
        Residence::Disk
    }
}

#[cfg(test)]
mod tests;
