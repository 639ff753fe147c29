//! What something may hold of memory: an upper bound that is cheap to keep, and a count where it is reached.
//!
//! Invariant: what is reserved is never less than what is held, since everything reserves before it is kept. What goes
//! is not given back one by one: when the bound is met, everything is counted, and the count takes its place.

/// Bytes that are held, and how many may be.
#[derive(Debug)]
pub(crate) struct Budget {
    reserved: usize,
    most: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Self {
        Self { reserved: 0, most }
    }

    /// How many bytes there may be.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Whether there is room for so many more; if so, they are reserved.
    pub(crate) fn reserve(&mut self, more: usize, held: impl FnOnce() -> usize) -> bool {
        if self.reserved.saturating_add(more) > self.most {
            self.reserved = held();
        }
        let fits = self.reserved.saturating_add(more) <= self.most;
        if fits {
            self.reserved += more;
        }
        fits
    }

    /// How many more bytes there may be, when those that are held have been counted.
    pub(crate) fn room(&mut self, held: usize) -> usize {
        self.reserved = held;
        self.most.saturating_sub(held)
    }

    /// What has been held has changed its size.
    pub(crate) fn resized(&mut self, before: usize, after: usize) {
        self.reserved = self.reserved.saturating_sub(before).saturating_add(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_only_when_the_bound_is_met() {
        let mut budget = Budget::new(10);
        let unasked = || unreachable!("there is room");
        assert!(budget.reserve(4, unasked) && budget.reserve(6, unasked));
        // Of the ten reserved seven are there.
        assert!(!budget.reserve(4, || 7));
        assert!(budget.reserve(3, unasked));
        assert!(!budget.reserve(1, || 10));
        assert!(budget.reserve(10, || 0));
    }

    #[test]
    fn what_changes_its_size_is_known_by_its_size() {
        let mut budget = Budget::new(10);
        let unasked = || unreachable!("there is room");
        assert!(budget.reserve(9, unasked));
        assert_eq!(budget.room(6), 4);
        budget.resized(3, 5);
        assert!(budget.reserve(2, unasked) && !budget.reserve(1, || 10));
    }
}
