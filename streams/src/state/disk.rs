//! Stores on disk: one fjall database a process, one keyspace a store, and in it the entries of each task's partition.
//!
//! A key of the keyspace is a tag, the task's partition (four bytes, big-endian) and, for an entry, the entry's key.
//!
//! What a checkpoint writes goes to a log (`log.rs`), and from there, much at a time, into sorted tables (`table.rs`), as large
//! batches of a restore do at once. A batch of the log and a table both say how far the store reaches with them in its changelog,
//! and the database takes on all of one or nothing: whatever survives a crash of the machine is a pair that belongs together.
//!
//! Logs are handed to the operating system and not synced: a killed process loses nothing, and after a crash of the
//! machine the changelog gives what is missing.
//!
//! Rows that are in use are in memory too (`row_cache`): whatever is read from the database is remembered, and what is written
//! to it corrects what is remembered.

mod batch;
mod ingestion;
mod log;
mod offset;
mod place;
mod store;
mod table;

pub(crate) use ingestion::Ingestion;
use log::{Log, Logs};
use place::{Place, failed};
use store::DiskStore;

use super::StoreError;
use super::row_cache::RowCaches;
use fjall::compaction::Leveled;
use fjall::{CompressionType, Database, KeyspaceCreateOptions};
use std::path::Path;
use std::sync::Arc;

/// The threads that flush and compact. With two of them, fjall's default for two processors, the one that is kept for
/// flushing hands compactions round in a circle, and never rests, while the other one is at work.
const WORKERS: usize = 4;

/// How many sorted tables, which may overlap, lie on each other before they are merged. A restore of some hundred megabytes
/// is through before that begins, which takes as much of the processor as the restore; a read of a key looks at a filter for
/// each of them.
const UNMERGED_TABLES: u8 = 16;

/// How much of the journals is kept because of stores that were not written to tables yet: such a store is then written. The
/// least that the database takes.
const JOURNALS_BYTES: u64 = 64 << 20;

fn keyspace_options() -> KeyspaceCreateOptions {
    let merging = Leveled::default().with_l0_threshold(UNMERGED_TABLES);
    KeyspaceCreateOptions::default().compaction_strategy(Arc::new(merging))
}

/// The stores of a process on disk.
#[derive(Clone)]
pub(crate) struct Disk {
    database: Database,
    directory: Arc<Path>,
    rows: RowCaches,
    logs: Logs,
}

impl Disk {
    /// Opens the database in `directory`, which is made if it does not exist. The error says what to do.
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        let at = directory.display();
        let database = Database::builder(directory)
            .worker_threads(WORKERS)
            // Reading it compresses it again, to check it.
            .journal_compression(CompressionType::None)
            .max_journaling_size(JOURNALS_BYTES);
        let opened = database.open().and_then(|database| {
            let logs = Logs::open(&database)?;
            Ok(Self {
                database,
                directory: directory.into(),
                rows: RowCaches::default(),
                logs,
            })
        });
        match opened {
            Ok(disk) => Ok(disk),
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

    /// The store of a task.
    pub(crate) fn store(&self, name: &str, partition: i32) -> Result<DiskStore, StoreError> {
        let keyspace = self
            .database
            .keyspace(name, keyspace_options)
            .map_err(|error| failed(name, &self.directory, "opening", &error))?;
        let place = Place {
            keyspace,
            directory: Arc::clone(&self.directory),
            name: name.to_owned(),
            partition,
        };
        let log = Log::open(&self.logs, &place)?;
        let (database, rows) = (self.database.clone(), self.rows.open());
        Ok(DiskStore::new(database, place, log, rows))
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

#[cfg(test)]
mod tests;
