//! What a record has brought forth, kept until the record is done.
//!
//! Sinks serialize straight into one buffer, and a record's outputs leave together or not at all. Nothing is allocated
//! per record once the buffers have grown.

use super::{Failure, Headers};
use crate::serde::{SerdeError, Serializer, Written};
use std::ops::Range;

/// The outputs of one input record.
#[derive(Default)]
pub(crate) struct Staged {
    bytes: Vec<u8>,
    records: Vec<Entry>,
    /// Headers that are in use come first; the rest keep their buffers.
    headers: Vec<Headers>,
    headers_used: usize,
}

struct Entry {
    topic: usize,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    timestamp: i64,
    headers: Option<usize>,
}

/// One output record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StagedRecord<'a> {
    /// The topic, by the task's own numbering.
    pub(crate) topic: usize,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: i64,
    pub(crate) headers: &'a Headers,
}

/// What is to be written, and how.
pub(crate) struct Output<'a, K: ?Sized, V: ?Sized, KS: ?Sized, VS: ?Sized> {
    pub(crate) record: super::Record<'a, K, V>,
    pub(crate) key: &'a KS,
    pub(crate) value: &'a VS,
}

impl Staged {
    /// Serializes a record for the topic of this number, which is called `name` where it fails.
    #[inline]
    pub(crate) fn write<K, V, KS, VS>(
        &mut self,
        topic: usize,
        name: impl FnOnce() -> String,
        output: &Output<'_, K, V, KS, VS>,
    ) -> Result<(), Box<Failure>>
    where
        K: ?Sized,
        V: ?Sized,
        KS: Serializer<K> + ?Sized,
        VS: Serializer<V> + ?Sized,
    {
        let record = output.record;
        let key = self.append(|out| output.key.write(record.key, out));
        let key = match key {
            Ok(range) => range,
            Err(error) => return Err(Failure::unwritable("key", &name(), error)),
        };
        let value = match self.append(|out| output.value.write(record.value, out)) {
            Ok(range) => range,
            Err(error) => return Err(Failure::unwritable("value", &name(), error)),
        };
        let headers = (!record.headers.is_empty()).then(|| self.keep(record.headers));
        self.records.push(Entry {
            topic,
            key,
            value,
            timestamp: record.timestamp,
            headers,
        });
        Ok(())
    }

    #[inline]
    fn append(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Written, SerdeError>,
    ) -> Result<Option<Range<usize>>, SerdeError> {
        let start = self.bytes.len();
        Ok(match write(&mut self.bytes)? {
            Written::Bytes => Some(start..self.bytes.len()),
            Written::Null => None,
        })
    }

    fn keep(&mut self, headers: &Headers) -> usize {
        let slot = self.headers_used;
        self.headers_used += 1;
        match self.headers.get_mut(slot) {
            Some(kept) => kept.clone_from(headers),
            None => self.headers.push(headers.clone()),
        }
        slot
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.headers_used = 0;
    }

    /// The records, in the order in which they were written.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = StagedRecord<'_>> {
        self.records.iter().map(|entry| StagedRecord {
            topic: entry.topic,
            key: self.slice(entry.key.as_ref()),
            value: self.slice(entry.value.as_ref()),
            timestamp: entry.timestamp,
            headers: entry
                .headers
                .and_then(|slot| self.headers.get(slot))
                .unwrap_or(Headers::EMPTY),
        })
    }

    #[inline]
    fn slice(&self, range: Option<&Range<usize>>) -> Option<&[u8]> {
        // A serializer that shortens what others have written spoils its own task's record, and nothing else.
        range.map(|range| self.bytes.get(range.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::processor::Record;
    use crate::serde::{Nullable, Utf8};

    fn write(staged: &mut Staged, value: Option<&str>, headers: &Headers) {
        let value = value.map(str::to_owned);
        let record = Record {
            key: "k",
            value: &value,
            timestamp: 1,
            headers,
        };
        staged
            .write(
                0,
                String::new,
                &Output {
                    record,
                    key: &Utf8,
                    value: &Nullable(Utf8),
                },
            )
            .unwrap();
    }

    #[test]
    fn an_empty_value_is_not_a_null() {
        let mut staged = Staged::default();
        for value in [Some(""), None, Some("v")] {
            write(&mut staged, value, Headers::EMPTY);
        }
        let values: Vec<_> = staged.iter().map(|record| record.value).collect();
        assert_eq!(values, [Some(b"".as_slice()), None, Some(b"v".as_slice())]);
    }

    #[test]
    fn headers_are_those_of_their_record_also_when_buffers_are_used_again() {
        let mut staged = Staged::default();
        let mut headers = Headers::default();
        for round in ["1", "2"] {
            headers.clear();
            headers.add("round", Some(round.as_bytes()));
            write(&mut staged, None, &headers);
            write(&mut staged, None, Headers::EMPTY);
            let found: Vec<_> = staged
                .iter()
                .map(|record| record.headers.last("round").flatten())
                .collect();
            assert_eq!(found, [Some(round.as_bytes()), None]);
            staged.clear();
        }
    }

    #[test]
    fn cleared_buffers_stay_allocated() {
        let mut staged = Staged::default();
        let mut headers = Headers::default();
        headers.add("h", Some(b"1"));
        write(&mut staged, Some("value"), &headers);
        staged.clear();
        assert!(staged.iter().next().is_none());
        assert!(staged.bytes.capacity() > 0 && staged.records.capacity() > 0);
        assert_eq!(staged.headers.len(), 1);
    }
}
