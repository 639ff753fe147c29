//! A sorted table of a task's part of a store, on its way into the database: nothing of it passes the journal.

use super::super::overlay::Write;
use super::super::{RestoreBatch, StoreError};
use super::log::Log;
use super::place::{ENTRY, LOGGED, OFFSET, PREFIX, Place};

/// Takes a row.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Write<'_>) -> Result<(), StoreError>;

/// What a table is made of.
pub(super) trait TableRows {
    /// Gives its rows, in the order of their keys, each key once.
    fn give(&mut self, sink: Sink<'_>) -> Result<(), StoreError>;
}

impl TableRows for RestoreBatch {
    fn give(&mut self, sink: Sink<'_>) -> Result<(), StoreError> {
        self.newest().try_for_each(sink)
    }
}

impl TableRows for &Log {
    fn give(&mut self, sink: Sink<'_>) -> Result<(), StoreError> {
        self.in_order().try_for_each(sink)
    }
}

/// How far the store reaches with a table.
pub(super) enum Reach<'m> {
    /// As far as without it.
    Unchanged,
    /// As it is stored.
    To(&'m [u8]),
    /// Nowhere: it is as new.
    Nowhere,
}

/// What a table says behind its rows.
pub(super) struct Marks<'m> {
    /// The number of the first batch of the log that is not in it, as it is stored, if that is another one now.
    pub(super) logged: Option<[u8; 8]>,
    pub(super) reach: Reach<'m>,
}

/// Writes a table, all or nothing. Before the store knows of it and waits for the disk, `written` is called with the rows,
/// which are not needed any more, and may still refuse.
pub(super) fn write<R: TableRows>(
    place: &Place,
    doing: &'static str,
    mut rows: R,
    marks: &Marks<'_>,
    written: impl FnOnce(R) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |e: fjall::Error| place.failed(doing, &e);
    let mut table = place.keyspace.start_ingestion().map_err(failed)?;
    let mut prefixed = place.prefixed(ENTRY, &[]);
    rows.give(&mut |(key, value)| {
        place.takes(key)?;
        prefixed.truncate(PREFIX);
        prefixed.extend_from_slice(key);
        let taken = match value {
            Some(value) => table.write(prefixed.as_slice(), value),
            None => table.write_tombstone(prefixed.as_slice()),
        };
        taken.map_err(failed)
    })?;
    let (logged, offset) = (place.prefixed(LOGGED, &[]), place.prefixed(OFFSET, &[]));
    if let Some(next) = marks.logged {
        table.write(logged, next).map_err(failed)?;
    }
    match marks.reach {
        Reach::Unchanged => Ok(()),
        Reach::To(reached) => table.write(offset, reached),
        Reach::Nowhere => table.write_tombstone(offset),
    }
    .map_err(failed)?;
    written(rows)?;
    table.finish().map_err(failed)
}
