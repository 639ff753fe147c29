//! A batch of a restore that is written on a thread of its own: the disk takes about as long to write a table as the brokers
//! to send the next one.

use crate::state::{Ingestion, RestoreBatch, StoreError};
use crate::{Error, Result};
use std::thread::JoinHandle;

/// Dropping it waits for its end: whoever is next opens the store.
pub(super) struct TableWrite {
    /// The store has all below this offset once the table is written.
    pub(super) offset: i64,
    thread: Option<JoinHandle<Written>>,
}

/// The batch, for what comes next, without what was in it.
type Written = Result<RestoreBatch, StoreError>;

impl TableWrite {
    /// Writes what was read up to the offset; so many bytes of the batch's memory are kept for what comes.
    pub(super) fn start(
        ingestion: Ingestion,
        mut batch: RestoreBatch,
        offset: i64,
        keep: usize,
    ) -> Result<Self> {
        let write = move || {
            ingestion.write(&mut batch, offset)?;
            batch.clear(keep);
            Ok(batch)
        };
        let thread = std::thread::Builder::new().name("streams-table".into());
        let thread = thread.spawn(write).map_err(|source| Error::Io {
            what: "starting a thread that writes a restored table".into(),
            source,
        })?;
        Ok(Self {
            offset,
            thread: Some(thread),
        })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the table is there.
    pub(super) fn finish(mut self) -> Result<RestoreBatch> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written.map_err(|error| Error::State(error.to_string())),
            // The panic was printed.
            _ => Err(Error::Panic("writing a restored table".to_owned())),
        }
    }
}

impl Drop for TableWrite {
    fn drop(&mut self) {
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::debug!("writing a restored table panicked");
        }
    }
}
