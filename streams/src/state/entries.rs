//! Entries of a store, or the reason why there are none.

use super::Scan;
use crate::processor::{Failure, Outcome};
use std::borrow::Cow;

/// The bytes of an entry.
pub(crate) type KeyAndValue<'s> = (Cow<'s, [u8]>, Cow<'s, [u8]>);

/// Entries in the order of a scan. What could not be opened is an error in their place, so that an iteration is no `Result`
/// itself: `for entry in store.all(cx)` needs no second `?`, and leaves no temporary that would keep the context borrowed.
pub(crate) struct Entries<'s> {
    scan: Scan<'s>,
    failed: Option<Box<Failure>>,
}

impl<'s> Entries<'s> {
    pub(crate) fn of(scan: Outcome<Scan<'s>>) -> Self {
        match scan {
            Ok(scan) => Self { scan, failed: None },
            Err(failure) => Self {
                scan: Box::new(std::iter::empty()),
                failed: Some(failure),
            },
        }
    }
}

impl<'s> Iterator for Entries<'s> {
    type Item = Outcome<KeyAndValue<'s>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.failed.take() {
            Some(failure) => Some(Err(failure)),
            None => self.scan.next().map(|entry| entry.map_err(Into::into)),
        }
    }
}
