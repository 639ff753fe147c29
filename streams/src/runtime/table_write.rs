//! A batch of a restore that is written on a thread of its own, while the brokers send the next one and the disk takes the one
//! before.

use crate::state::{Ingestion, RestoreBatch, StoreError};
use crate::{Error, Result};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// Dropping it waits for its end: whoever is next opens the store.
pub(super) struct TableWrite {
    /// The store has all below this offset once the table is written.
    pub(super) offset: i64,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

/// The memory of a batch that is being written.
pub(super) struct GivenBack(Receiver<RestoreBatch>);

impl GivenBack {
    /// Waits for the batch, which is empty; what has failed, [`TableWrite::finish`] tells.
    pub(super) fn wait(self) -> Option<RestoreBatch> {
        self.0.recv().ok()
    }
}

impl TableWrite {
    /// Writes what was read up to the offset, while the table before may still be made, or taken by the disk; so many bytes of
    /// the batch's memory are kept for what comes.
    pub(super) fn start(
        ingestion: Ingestion,
        batch: RestoreBatch,
        offset: i64,
        keep: usize,
        before: Option<Self>,
    ) -> Result<(Self, GivenBack)> {
        let (give_back, given_back) = channel();
        let written = move |mut batch: RestoreBatch| {
            batch.clear(keep);
            before.map_or(Ok(()), Self::join)?;
            // Only now, so that few tables are on their way. Nobody wants it if the restore was given up.
            let _ = give_back.send(batch);
            Ok(())
        };
        let write = move || ingestion.write(batch, offset, written);
        let thread = std::thread::Builder::new().name("streams-table".into());
        let thread = thread.spawn(write).map_err(|source| Error::Io {
            what: "starting a thread that writes a restored table".into(),
            source,
        })?;
        let table = Self {
            offset,
            thread: Some(thread),
        };
        Ok((table, GivenBack(given_back)))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the table is there.
    pub(super) fn finish(self) -> Result<()> {
        let finished = self.join();
        finished.map_err(Error::from)
    }

    fn join(mut self) -> Result<(), StoreError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(written)) => written,
            None => Ok(()),
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::state::{Committed as _, Disk, Reached, StoreKind};

    /// So many rows of 1 kB, each with this value.
    fn batch(rows: u32, value: u8) -> RestoreBatch {
        let mut batch = RestoreBatch::default();
        for key in 0..rows {
            let value = [value; 1_000];
            batch.push(StoreKind::KeyValue, &key.to_be_bytes(), Some(&value), 0);
        }
        batch
    }

    #[test]
    fn of_two_tables_on_their_way_the_later_one_counts() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
        let mut start = |rows, value, offset, before| {
            let batch = batch(rows, value);
            let ingestion = store.ingestion(batch.bytes()).unwrap().unwrap();
            TableWrite::start(ingestion, batch, offset, 0, before).unwrap()
        };
        let (first, first_batch) = start(20_000, b'1', 10, None);
        let (second, second_batch) = start(10_000, b'2', 20, Some(first));
        assert_eq!(first_batch.wait().unwrap().bytes(), 0);
        assert_eq!(second_batch.wait().unwrap().bytes(), 0);
        second.finish().unwrap();

        assert_eq!(store.reached().unwrap(), Some(Reached::Read(20)));
        let value = |key: u32| {
            let found = store.get(&key.to_be_bytes()).unwrap().unwrap();
            found.first().copied()
        };
        assert_eq!((value(9_999), value(19_999)), (Some(b'2'), Some(b'1')));
    }

    #[test]
    fn a_table_behind_one_that_failed_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
        let mut bad = batch(10_000, b'1');
        let too_long = [b'k'; u16::MAX as usize];
        bad.push(StoreKind::KeyValue, &too_long, None, 0);
        let mut start = |batch: RestoreBatch, offset, before| {
            let ingestion = store.ingestion(batch.bytes()).unwrap().unwrap();
            TableWrite::start(ingestion, batch, offset, 0, before).unwrap()
        };
        let (first, _) = start(bad, 10, None);
        let (second, batch) = start(batch(10_000, b'2'), 20, Some(first));
        assert!(batch.wait().is_none());
        let error = second.finish().unwrap_err().to_string();
        assert!(error.contains("65535 bytes"), "{error}");
        assert_eq!(store.reached().unwrap(), None);
        assert!(store.get(&0_u32.to_be_bytes()).unwrap().is_none());
    }
}
