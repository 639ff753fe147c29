//! The tables of one store that are on their way to it, and the memory that they take.

use super::table_write::{GivenBack, TableWrite};
use crate::Result;
use crate::state::{Ingestion, RestoreBatch};
use std::collections::VecDeque;
use std::mem;

/// How many tables of a store are made at the same time. With one alone, making them fell behind reading, which takes several
/// threads of the client and the broker, and a processor had nothing to do when all was read.
pub(super) const MADE_AT_ONCE: usize = 2;

#[derive(Default)]
pub(super) struct Tables {
    /// It ends after all before it.
    newest: Option<TableWrite>,
    /// Those whose batches are in memory, the oldest first.
    making: VecDeque<Making>,
    /// Memory for the next batch.
    spare: RestoreBatch,
}

struct Making {
    bytes: usize,
    batch: GivenBack,
}

impl Tables {
    /// Hands over what was read up to the offset, and leaves an empty batch, of whose memory so many bytes are kept. Waits while as
    /// many tables are being made as may be.
    pub(super) fn start(
        &mut self,
        ingestion: Ingestion,
        batch: &mut RestoreBatch,
        offset: i64,
        keep: usize,
    ) -> Result<()> {
        while self.making.len() >= MADE_AT_ONCE {
            self.take_oldest_back();
        }
        let bytes = batch.bytes();
        let full = mem::replace(batch, mem::take(&mut self.spare));
        let (table, batch) = TableWrite::start(ingestion, full, offset, keep, self.newest.take())?;
        self.newest = Some(table);
        self.making.push_back(Making { bytes, batch });
        Ok(())
    }

    /// What may still be in memory of what was handed over.
    pub(super) fn bytes(&self) -> usize {
        self.making.iter().map(|table| table.bytes).sum()
    }

    /// Waits until what was handed over first is out of memory.
    pub(super) fn take_oldest_back(&mut self) {
        if let Some(batch) = self.making.pop_front().and_then(|table| table.batch.wait()) {
            self.spare = batch;
        }
    }

    /// Whether the newest of the tables on their way has ended: then all are there, or one has failed.
    pub(super) fn are_finished(&self) -> bool {
        self.newest.as_ref().is_some_and(TableWrite::is_finished)
    }

    /// Waits until all are there; the offset that the store has by them.
    pub(super) fn finish(&mut self) -> Result<Option<i64>> {
        while !self.making.is_empty() {
            self.take_oldest_back();
        }
        let Some(newest) = self.newest.take() else {
            return Ok(None);
        };
        let offset = newest.offset;
        newest.finish()?;
        Ok(Some(offset))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::state::{Committed as _, Disk, Reached, StoreKind};

    #[test]
    fn tables_that_are_made_at_once_count_in_their_order() {
        const ROWS: u32 = 6_000;
        let directory = tempfile::tempdir().unwrap();
        let mut store = Disk::open(directory.path()).unwrap().store("s", 0).unwrap();
        let mut tables = Tables::default();
        let mut batch = RestoreBatch::default();
        for table in 0..5_u8 {
            // Each has all keys but the first ones of the table before.
            for key in u32::from(table) * 1_000..ROWS {
                let value = [table; 1_000];
                batch.push(StoreKind::KeyValue, &key.to_be_bytes(), Some(&value), 0);
            }
            let (bytes, offset) = (batch.bytes(), i64::from(table) + 1);
            let ingestion = store.ingestion(usize::MAX).unwrap().unwrap();
            tables.start(ingestion, &mut batch, offset, 0).unwrap();
            assert_eq!(batch.bytes(), 0);
            assert!(tables.bytes() >= bytes);
            assert!(tables.making.len() <= MADE_AT_ONCE);
        }
        assert_eq!(tables.finish().unwrap(), Some(5));
        assert_eq!((tables.bytes(), tables.finish().unwrap()), (0, None));

        assert_eq!(store.reached().unwrap(), Some(Reached::Read(5)));
        for key in (0..ROWS).step_by(500) {
            let found = store.get(&key.to_be_bytes()).unwrap().unwrap();
            let newest = u8::try_from((key / 1_000).min(4)).unwrap();
            assert_eq!(found.first().copied(), Some(newest), "row {key}");
        }
    }
}
