//! The versions of each key's value, as bytes.
//!
//! The newest version of a key is at `1 | key`, with its time in front of the value. An older version is at
//! `0 | segment of the end of its validity | key | its time`, with that end and a mark in front of the value; so what is too
//! old for the history goes segment by segment. A deletion is the end of the version before it; what came late is told from it
//! by versions without a value (`org.apache.kafka.streams.state.internals.RocksDBVersionedStore`).
//!
//! The largest time that was written is at `2`, so that it is known after a restart without looking for it.

use super::{KeyRange, Order, Segments, Store, StoreError};
use std::ops::Bound;

const OLDER: u8 = 0;
const NEWEST: u8 = 1;
const OBSERVED: &[u8] = &[2];

/// The marks of versions that have no value, and of those that have one.
const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutVersion {
    /// It is the newest version.
    Newest,
    /// It came late: it is valid until this time, when another version or a deletion follows.
    Until(i64),
    /// It is older than the history, and was not written.
    Refused,
}

/// A version as it is stored.
pub(crate) struct Version {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// None where the key had no value.
    pub(crate) value: Option<Vec<u8>>,
}

/// The versions of one key.
pub(crate) struct Versions<'s> {
    segments: Segments,
    store: &'s mut Store,
    key: &'s [u8],
    observed: Option<i64>,
}

impl<'s> Versions<'s> {
    pub(crate) fn of(
        segments: Segments,
        store: &'s mut Store,
        key: &'s [u8],
    ) -> Result<Self, StoreError> {
        let observed = observed(store)?;
        if let Some(observed) = observed {
            store.observe(observed);
        }
        Ok(Self {
            segments,
            store,
            key,
            observed,
        })
    }

    /// The first time that the history still tells of.
    fn oldest(&self) -> i64 {
        let oldest = |observed: i64| observed.saturating_sub(self.segments.retention());
        self.observed.map_or(i64::MIN, oldest)
    }

    /// The version that was valid at this time.
    pub(crate) fn as_of(&self, time: i64) -> Result<Option<Version>, StoreError> {
        if let Some(newest) = self.newest()?
            && newest.from <= time
        {
            return Ok(Some(newest));
        }
        if time < self.oldest() {
            return Ok(None);
        }
        let older = self.older()?.into_iter();
        let mut valid = older.filter(|version| version.from <= time && time < version.to);
        Ok(valid.next())
    }

    /// Writes the value from this time on; `None` is that there is none.
    pub(crate) fn put(
        &mut self,
        value: Option<&[u8]>,
        time: i64,
    ) -> Result<PutVersion, StoreError> {
        if time < self.oldest() {
            return Ok(PutVersion::Refused);
        }
        // The longest key that this row will ever have: one that can be written can be overwritten too.
        self.store.takes(&self.older_key(time, time))?;
        self.observe(time)?;
        let newest = self.newest()?;
        if let Some(newest) = &newest
            && newest.from <= time
        {
            if newest.from < time {
                self.write_older(newest.from, time, newest.value.as_deref())?;
            }
            self.write_newest(time, value)?;
            return Ok(PutVersion::Newest);
        }
        let older = self.older()?;
        let follows = older.iter().chain(&newest).map(|version| version.from);
        let next = follows.filter(|from| *from > time).min();
        let before = older.iter().find(|v| v.from <= time && time < v.to);
        let until = match (before, next) {
            (Some(before), _) => Some(before.to),
            (None, next) => next,
        };
        if let Some(before) = before {
            self.remove_older(before)?;
            if before.from < time {
                self.write_older(before.from, time, before.value.as_deref())?;
            }
        }
        if let Some(until) = until {
            self.write_older(time, until, value)?;
            return Ok(PutVersion::Until(until));
        }
        match value {
            Some(_) => self.write_newest(time, value)?,
            // There is nothing to delete, but what comes late ends here.
            None => {
                let since = older.iter().map(|version| version.to).max();
                self.write_older(since.unwrap_or(time), time, None)?;
            }
        }
        Ok(PutVersion::Newest)
    }

    /// Moves the store's time on, and removes what has become too old.
    fn observe(&mut self, time: i64) -> Result<(), StoreError> {
        let before = self.oldest();
        if self.observed.is_none_or(|observed| observed < time) {
            self.observed = Some(time);
            self.store.observe(time);
            self.store.put(OBSERVED, Some(&time.to_be_bytes()))?;
        }
        let first_live = self.segments.of(self.oldest());
        if self.segments.of(before) < first_live {
            let expired = KeyRange {
                from: Bound::Included(vec![OLDER]),
                to: Bound::Excluded(segment_prefix(first_live)),
            };
            self.store.remove(&expired)?;
        }
        Ok(())
    }

    fn newest(&self) -> Result<Option<Version>, StoreError> {
        let stored = self.store.get(&self.newest_key())?;
        Ok(stored.and_then(|stored| {
            let (from, value) = stored.split_first_chunk()?;
            Some(Version {
                from: i64::from_be_bytes(*from),
                to: i64::MAX,
                value: Some(value.to_vec()),
            })
        }))
    }

    /// All versions but the newest one, as far as they are kept.
    fn older(&self) -> Result<Vec<Version>, StoreError> {
        let mut versions = Vec::new();
        let Some(observed) = self.observed else {
            return Ok(versions);
        };
        let segments = self.segments.of(self.oldest())..=self.segments.of(observed);
        for segment in segments {
            let prefix = [segment_prefix(segment), self.key.to_vec()].concat();
            for entry in self
                .store
                .scan(&KeyRange::prefix(&prefix), Order::Ascending)
            {
                let (key, stored) = entry?;
                // Longer keys may begin with the same bytes.
                let from = key.get(prefix.len()..).unwrap_or_default();
                if let (Ok(from), Some((to, [mark, value @ ..]))) =
                    (<[u8; 8]>::try_from(from), stored.split_first_chunk())
                {
                    versions.push(Version {
                        from: i64::from_be_bytes(from),
                        to: i64::from_be_bytes(*to),
                        value: (*mark == PRESENT).then(|| value.to_vec()),
                    });
                }
            }
        }
        Ok(versions)
    }

    fn newest_key(&self) -> Vec<u8> {
        [&[NEWEST], self.key].concat()
    }

    fn older_key(&self, from: i64, to: i64) -> Vec<u8> {
        let segment = segment_prefix(self.segments.of(to));
        [segment.as_slice(), self.key, &from.to_be_bytes()].concat()
    }

    fn write_newest(&mut self, from: i64, value: Option<&[u8]>) -> Result<(), StoreError> {
        let stored = value.map(|value| [&from.to_be_bytes(), value].concat());
        self.store.put(&self.newest_key(), stored.as_deref())
    }

    fn write_older(&mut self, from: i64, to: i64, value: Option<&[u8]>) -> Result<(), StoreError> {
        let (mark, value) = value.map_or((ABSENT, [].as_slice()), |value| (PRESENT, value));
        let stored = [to.to_be_bytes().as_slice(), &[mark], value].concat();
        self.store.put(&self.older_key(from, to), Some(&stored))
    }

    fn remove_older(&mut self, version: &Version) -> Result<(), StoreError> {
        let key = self.older_key(version.from, version.to);
        self.store.put(&key, None)
    }
}

fn segment_prefix(segment: i64) -> Vec<u8> {
    [&[OLDER], segment.to_be_bytes().as_slice()].concat()
}

/// The largest time that was written.
fn observed(store: &Store) -> Result<Option<i64>, StoreError> {
    if let Some(time) = store.observed_time() {
        return Ok(Some(time));
    }
    let kept = store.get(OBSERVED)?;
    let time = kept.as_deref().and_then(|time| time.first_chunk());
    Ok(time.map(|time| i64::from_be_bytes(*time)))
}

/// Whether a record of a changelog can be a row here: it is if it was written with the same segments.
pub(crate) fn reads(segments: Segments, key: &[u8], stored: Option<&[u8]>) -> bool {
    match key {
        [OLDER, rest @ ..] => {
            let Some((segment, rest)) = rest.split_first_chunk() else {
                return false;
            };
            let is_there = |stored: &[u8]| {
                let until = stored.first_chunk().map(|to| i64::from_be_bytes(*to));
                until.is_some_and(|to| segments.of(to) == i64::from_be_bytes(*segment))
            };
            rest.len() >= size_of::<i64>() && stored.is_none_or(is_there)
        }
        [NEWEST, ..] => stored.is_none_or(|stored| stored.len() >= size_of::<i64>()),
        OBSERVED => stored.is_none_or(|stored| stored.len() == size_of::<i64>()),
        _ => false,
    }
}

/// The newest versions in a store: key, time and value.
pub(crate) fn newest_of(
    store: &Store,
) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> {
    let entries = store.scan(&KeyRange::prefix(&[NEWEST]), Order::Ascending);
    entries.map(|entry| {
        let (key, value) = entry?;
        Ok((
            key.get(1..).unwrap_or_default().to_vec(),
            value.into_owned(),
        ))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::state::Memory;

    const SEGMENTS: Segments = Segments::new(20, 10);

    /// All that a store has after two writes.
    fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut store = Store::new(Box::new(Memory::default()));
        for time in [15, 25] {
            let mut versions = Versions::of(SEGMENTS, &mut store, b"key").unwrap();
            versions.put(Some(b"value"), time).unwrap();
        }
        let rows = store.scan(&KeyRange::ALL, Order::Ascending);
        let owned = rows.map(|row| row.map(|(k, v)| (k.into_owned(), v.into_owned())));
        owned.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn what_was_written_with_these_segments_is_read_and_nothing_else() {
        let rows = rows();
        assert_eq!(
            rows.len(),
            3,
            "an older version, the newest one, and the time"
        );
        for (key, value) in &rows {
            assert!(reads(SEGMENTS, key, Some(value)), "{key:?}");
            assert!(reads(SEGMENTS, key, None), "{key:?}");
            let is_older = key.first() == Some(&OLDER);
            let others = Segments::new(40, 20);
            assert_eq!(reads(others, key, Some(value)), !is_older, "{key:?}");
            assert!(!reads(SEGMENTS, key, Some(b"short")), "{key:?}");
        }
        for key in [b"a".as_slice(), b"", b"\x00short", b"\x02longer"] {
            assert!(!reads(SEGMENTS, key, Some(&[0; 9])), "{key:?}");
        }
    }
}
