//! A large batch of a restore becomes a sorted table of its own.

use super::super::{Origin, Reached, RestoreBatch, StoreError};
use super::offset::encode;
use super::place::Place;
use super::table::{self, Marks, Reach};
use crate::fail_point::{FailPoint, pass};

/// Writes one batch, on whatever thread. Until the store has it, nothing may read or write the store but another one
/// of these.
pub(crate) struct Ingestion {
    place: Place,
    origin: Option<Origin>,
}

impl Ingestion {
    pub(super) fn new(place: Place, origin: Option<Origin>) -> Self {
        Self { place, origin }
    }

    /// Writes what was read of the changelog up to the offset, all or nothing. Before the store knows of the table and waits
    /// for the disk, `written` is called with the batch, which is not needed any more, and may still refuse: of two tables,
    /// what the store got last counts.
    pub(crate) fn write(
        &self,
        batch: RestoreBatch,
        offset: i64,
        written: impl FnOnce(RestoreBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let marks = Marks {
            logged: None,
            reach: Reach::To(&encode(Reached::Read(offset), self.origin)),
        };
        table::write(&self.place, "restoring", batch, &marks, |batch| {
            written(batch)?;
            pass(FailPoint::InIngestion);
            Ok(())
        })
    }
}
