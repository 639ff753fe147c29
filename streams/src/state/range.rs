//! Ranges of keys.

use std::ops::Bound;

/// The direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// Keys between two bounds, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub(crate) const ALL: Self = Self {
        from: Bound::Unbounded,
        to: Bound::Unbounded,
    };

    /// The keys that begin with these bytes.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        Self {
            from: Bound::Included(prefix.to_vec()),
            to: successor(prefix).map_or(Bound::Unbounded, Bound::Excluded),
        }
    }

    /// Whether no key can be in it; ordered maps panic on such a range.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from >= to,
        }
    }

    pub(crate) fn as_bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (
            self.from.as_ref().map(Vec::as_slice),
            self.to.as_ref().map(Vec::as_slice),
        )
    }
}

/// The smallest key that is larger than all keys with this prefix; none if the prefix is all `0xff`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = prefix.get(..=last)?.to_vec();
    *next.last_mut()? += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let ends = |prefix: &[u8]| KeyRange::prefix(prefix).to;
        assert_eq!(ends(b"ab"), Bound::Excluded(b"ac".to_vec()));
        assert_eq!(ends(b"a\xff"), Bound::Excluded(b"b".to_vec()));
        assert_eq!(ends(b"\xff\xff"), Bound::Unbounded);
        assert_eq!(ends(b""), Bound::Unbounded);
    }

    #[test]
    fn a_range_that_no_key_is_in_is_known() {
        let range = |from: Bound<&[u8]>, to: Bound<&[u8]>| KeyRange {
            from: from.map(<[u8]>::to_vec),
            to: to.map(<[u8]>::to_vec),
        };
        assert!(range(Bound::Included(b"b"), Bound::Included(b"a")).is_empty());
        assert!(range(Bound::Included(b"a"), Bound::Excluded(b"a")).is_empty());
        assert!(!range(Bound::Included(b"a"), Bound::Included(b"a")).is_empty());
        assert!(!KeyRange::ALL.is_empty());
    }
}
