//! A large batch of a restore becomes a sorted table of its own: nothing of it passes the journal.

use super::super::{Reached, RestoreBatch, StoreError};
use super::encode;
use super::place::{ENTRY, OFFSET, PREFIX, Place};
use crate::fail_point::{FailPoint, pass};

/// Writes one batch, on whatever thread. Until the store has it, nothing may read or write the store but another one
/// of these.
pub(crate) struct Ingestion {
    place: Place,
}

impl Ingestion {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }

    /// Writes what was read of the changelog up to the offset, all or nothing. Before the store knows of the table and waits
    /// for the disk, `written` is called with the batch, which is not needed any more, and may still refuse: of two tables,
    /// what the store got last counts.
    pub(crate) fn write(
        &self,
        mut batch: RestoreBatch,
        offset: i64,
        written: impl FnOnce(RestoreBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let place = &self.place;
        let failed = |e: fjall::Error| place.failed("restoring", &e);
        let mut table = place.keyspace.start_ingestion().map_err(failed)?;
        let mut prefixed = place.prefixed(ENTRY, &[]);
        for (key, value) in batch.newest() {
            place.takes(key)?;
            prefixed.truncate(PREFIX);
            prefixed.extend_from_slice(key);
            match value {
                Some(value) => table.write(&prefixed, value),
                None => table.write_tombstone(&prefixed),
            }
            .map_err(failed)?;
        }
        let reached = encode(Reached::Read(offset));
        let reaches = table.write(place.prefixed(OFFSET, &[]), reached);
        reaches.map_err(failed)?;
        written(batch)?;
        pass(FailPoint::InIngestion);
        table.finish().map_err(failed)
    }
}
