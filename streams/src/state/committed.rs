//! What is below the overlay.

use super::{Ingestion, KeyRange, Order, Origin, RestoreBatch, StoreError};
use std::borrow::Cow;
use std::ops::Deref;

/// Key and value, as a scan reads them.
pub(crate) type Entry<'s> = Result<(Cow<'s, [u8]>, Cow<'s, [u8]>), StoreError>;

/// The value of a row.
#[derive(Debug)]
pub(crate) enum Value<'s> {
    /// Lent by what holds it.
    Lent(&'s [u8]),
    /// Shared with the database.
    Shared(fjall::Slice),
}

impl Deref for Value<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Entries in the order of their keys.
pub(crate) type Scan<'s> = Box<dyn Iterator<Item = Entry<'s>> + 's>;

/// Writes of a batch. `None` is a removal.
pub(crate) type Writes<'i, 'w> = &'i mut dyn Iterator<Item = (&'w [u8], Option<&'w [u8]>)>;

/// How far a store reaches in its changelog: all records below this offset that count are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It was read up to there, or written without a transaction.
    Read(i64),
    /// A transaction has written records below it, and was committed: the marker that ends it is at this offset or behind.
    Written(i64),
}

impl Reached {
    pub(crate) fn offset(self) -> i64 {
        match self {
            Self::Read(offset) | Self::Written(offset) => offset,
        }
    }
}

/// What a store says of its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) reached: Reached,
    /// When that was written, in milliseconds since the epoch; `None` where it is not kept.
    pub(crate) at: Option<i64>,
    /// `None` where nobody has said it.
    pub(crate) origin: Option<Origin>,
}

/// The committed contents of a store: what the last applied checkpoint left, together with the offset in the store's
/// changelog that they reach to. The two are never apart: whatever dies, the changelog from this offset on is what the
/// contents lack.
pub(crate) trait Committed: Send {
    fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>, StoreError>;

    /// Whether a row of that key can be kept.
    fn takes(&self, _key: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn scan(&self, range: &KeyRange, order: Order) -> Scan<'_>;

    /// What its contents are; `None` if the store holds nothing yet.
    fn kept(&self) -> Result<Option<Kept>, StoreError>;

    /// What it takes on from now on is of this.
    fn set_origin(&mut self, origin: Origin);

    /// How far it reaches in its changelog.
    #[cfg(test)]
    fn reached(&self) -> Result<Option<Reached>, StoreError> {
        Ok(self.kept()?.map(|kept| kept.reached))
    }

    /// The offset of that.
    #[cfg(test)]
    fn changelog_offset(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.reached()?.map(Reached::offset))
    }

    /// Writes or removes these entries and remembers how far it reaches now, all or nothing; where that is not said, it
    /// stays as it was.
    fn apply(&mut self, writes: Writes<'_, '_>, reached: Option<Reached>)
    -> Result<(), StoreError>;

    /// Writes what was read of the changelog up to the offset, all or nothing.
    fn restore(&mut self, batch: &mut RestoreBatch, offset: i64) -> Result<(), StoreError> {
        self.apply(&mut batch.newest(), Some(Reached::Read(offset)))
    }

    /// What writes a batch of so many bytes in place of [`Self::restore`], where that is faster: on a thread of its own, since
    /// it waits for the disk. Until the store has it, nothing else may read or write the store.
    fn ingestion(&mut self, _bytes: usize) -> Result<Option<Ingestion>, StoreError> {
        Ok(None)
    }

    /// Removes every entry and the offset, all or nothing: the store is made again from its changelog.
    fn clear(&mut self) -> Result<(), StoreError>;

    /// Gives memory back that only makes reading faster: nobody will read it for a while.
    fn rest(&mut self) {}

    /// What its contents take up in this process's memory for as long as it is open.
    fn residence(&self) -> Residence;
}

/// Where a store's contents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residence {
    Memory,
    Disk,
}
