//! Writes and what lies below them, read as one.

use super::overlay::WrittenInRange;
use super::{Entry, Order, Scan};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::iter::Peekable;

/// Two ordered sequences as one: what was written wins over what is committed.
pub(super) struct Merged<'s> {
    written: Peekable<WrittenInRange<'s>>,
    committed: Peekable<Scan<'s>>,
    order: Order,
}

impl<'s> Merged<'s> {
    pub(super) fn new(written: WrittenInRange<'s>, committed: Scan<'s>, order: Order) -> Self {
        Self {
            written: written.peekable(),
            committed: committed.peekable(),
            order,
        }
    }

    /// Which one is next: `Less` is what was written, `Equal` is both.
    fn next_is(&mut self) -> Option<Ordering> {
        match (self.written.peek(), self.committed.peek()) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            // An error comes first, so that it is not lost.
            (None, Some(_)) | (_, Some(Err(_))) => Some(Ordering::Greater),
            (Some((written, _)), Some(Ok((committed, _)))) => {
                let ascending = (*written).cmp(committed);
                Some(match self.order {
                    Order::Ascending => ascending,
                    Order::Descending => ascending.reverse(),
                })
            }
        }
    }
}

impl<'s> Iterator for Merged<'s> {
    type Item = Entry<'s>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next_is = self.next_is()?;
            if next_is == Ordering::Greater {
                return self.committed.next();
            }
            if next_is == Ordering::Equal {
                self.committed.next();
            }
            if let (key, Some(value)) = self.written.next()? {
                return Some(Ok((Cow::Borrowed(key), Cow::Borrowed(value))));
            }
        }
    }
}
