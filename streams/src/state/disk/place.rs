//! Where a task's rows of a store are in the database.

use super::super::StoreError;
use fjall::Keyspace;
use std::path::Path;
use std::sync::Arc;

pub(super) const ENTRY: u8 = b'e';
pub(super) const LOGGED: u8 = b'l';
pub(super) const OFFSET: u8 = b'o';

/// A table is written in the order of its keys, and ends with how far it reaches in the log and in the changelog.
const _: () = assert!(ENTRY < LOGGED && LOGGED < OFFSET);

/// Tag and partition.
pub(super) const PREFIX: usize = 5;

/// The longest key of a row: the database's keys have at most 65,535 bytes, and a longer one makes it panic.
pub(super) const LONGEST_KEY: usize = u16::MAX as usize - PREFIX;

/// The part of a store's keyspace that is one task's.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) keyspace: Keyspace,
    pub(super) directory: Arc<Path>,
    pub(super) name: String,
    pub(super) partition: i32,
}

impl Place {
    pub(super) fn write_prefix(&self, tag: u8, out: &mut Vec<u8>) {
        out.push(tag);
        out.extend_from_slice(&self.partition.to_be_bytes());
    }

    pub(super) fn prefixed(&self, tag: u8, key: &[u8]) -> Vec<u8> {
        let mut prefixed = Vec::with_capacity(PREFIX + key.len());
        self.write_prefix(tag, &mut prefixed);
        prefixed.extend_from_slice(key);
        prefixed
    }

    /// Whether a row of that key can be kept.
    pub(super) fn takes(&self, key: &[u8]) -> Result<(), StoreError> {
        if key.len() <= LONGEST_KEY {
            return Ok(());
        }
        Err(StoreError {
            store: self.name.clone(),
            doing: "writing",
            reason: format!(
                "a key of {} bytes (with what the store adds to it), and a key of a store on disk has at most {LONGEST_KEY}. \
                 Keep the store in memory (`.state_backend(StateBackend::Memory)`), or see that no such record comes to it",
                key.len()
            ),
        })
    }

    /// Something of it is not what was written.
    #[cold]
    pub(super) fn damaged(&self, what: &str) -> StoreError {
        StoreError {
            store: self.name.clone(),
            doing: "reading",
            reason: format!(
                "its {what} is damaged; delete the directory {}, and the changelogs restore what was in it",
                self.directory.display()
            ),
        }
    }

    pub(super) fn failed(&self, doing: &'static str, error: &fjall::Error) -> StoreError {
        failed(&self.name, &self.directory, doing, error)
    }
}

/// What is on disk is what the last batch has left, whatever has failed since: the job can begin again with it.
#[cold]
pub(super) fn failed(
    store: &str,
    directory: &Path,
    doing: &'static str,
    error: &fjall::Error,
) -> StoreError {
    let cause = match error {
        fjall::Error::Poisoned => "an earlier write to one of its files failed".to_owned(),
        fjall::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    StoreError {
        store: store.to_owned(),
        doing,
        reason: format!(
            "{cause}, in {}. See that there is room on the disk, that it works, and that this user may write to it; then start \
             the job again, which goes on from what was committed. If that fails too, delete the directory: the \
             changelogs restore what was in it",
            directory.display()
        ),
    }
}
