//! A sorted table of a task's part of a store, on its way into the database: nothing of it passes the journal.

use super::super::{RestoreBatch, StoreError};
use super::batch::Row;
use super::log::Log;
use super::place::{ENTRY, LOGGED, OFFSET, PREFIX, Place};

/// What a table is made of.
pub(super) trait Rows {
    /// In the order of their keys, each key once.
    fn in_order(&mut self) -> impl Iterator<Item = Row<'_>>;
}

impl Rows for RestoreBatch {
    fn in_order(&mut self) -> impl Iterator<Item = Row<'_>> {
        self.newest()
    }
}

impl Rows for &Log {
    fn in_order(&mut self) -> impl Iterator<Item = Row<'_>> {
        Log::in_order(self)
    }
}

/// What a table says behind its rows, each as it is stored; what it does not say stays as it was.
pub(super) struct Marks<'m> {
    /// The number of the first batch of the log that is not in it.
    pub(super) logged: Option<[u8; 8]>,
    /// How far the store reaches with it.
    pub(super) reached: Option<&'m [u8]>,
}

/// Writes a table, all or nothing. Before the store knows of it and waits for the disk, `written` is called with the rows,
/// which are not needed any more, and may still refuse.
pub(super) fn write<R: Rows>(
    place: &Place,
    doing: &'static str,
    mut rows: R,
    marks: &Marks<'_>,
    written: impl FnOnce(R) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |e: fjall::Error| place.failed(doing, &e);
    let mut table = place.keyspace.start_ingestion().map_err(failed)?;
    let mut prefixed = place.prefixed(ENTRY, &[]);
    for (key, value) in rows.in_order() {
        place.takes(key)?;
        prefixed.truncate(PREFIX);
        prefixed.extend_from_slice(key);
        match value {
            Some(value) => table.write(prefixed.as_slice(), value),
            None => table.write_tombstone(prefixed.as_slice()),
        }
        .map_err(failed)?;
    }
    if let Some(logged) = marks.logged {
        let marked = table.write(place.prefixed(LOGGED, &[]), logged);
        marked.map_err(failed)?;
    }
    if let Some(reached) = marks.reached {
        let marked = table.write(place.prefixed(OFFSET, &[]), reached);
        marked.map_err(failed)?;
    }
    written(rows)?;
    table.finish().map_err(failed)
}
