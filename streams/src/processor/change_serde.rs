//! A table's update in a repartition topic.

use super::Change;
use crate::serde::{Serde, SerdeError, Serializer, Written};

/// The old and the new value as one: the length of the new one (four bytes, big-endian; `NONE` where there is none), the new
/// one, and what is left is the old one, if a byte at the end says that there is one.
pub(crate) struct ChangeSerde<S>(pub(crate) S);

const NONE: u32 = u32::MAX;

impl<V, S: Serde<V>> Serializer<Change<'_, V>> for ChangeSerde<S> {
    fn write(&self, change: &Change<'_, V>, out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        let start = out.len();
        out.extend_from_slice(&NONE.to_be_bytes());
        if let Some(new) = change.new {
            let from = out.len();
            self.0.serialize(new, out)?;
            let length = u32::try_from(out.len() - from)
                .ok()
                .filter(|l| *l != NONE)
                .ok_or_else(|| SerdeError::new("the value is larger than 4 GiB"))?;
            if let Some(place) = out.get_mut(start..from) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        if let Some(old) = change.old {
            self.0.serialize(old, out)?;
        }
        out.push(change.old.is_some().into());
        Ok(Written::Bytes)
    }
}

/// A new and an old value.
pub(crate) type NewAndOld<V> = (Option<V>, Option<V>);

impl<S> ChangeSerde<S> {
    pub(crate) fn read<V>(&self, bytes: &[u8]) -> Result<NewAndOld<V>, SerdeError>
    where
        S: Serde<V>,
    {
        let cut_off = || SerdeError::new("a table's update in a repartition topic is cut off");
        let (length, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
        let (has_old, rest) = rest.split_last().ok_or_else(cut_off)?;
        let length = u32::from_be_bytes(*length);
        let (new, old) = match length {
            NONE => (None, rest),
            length => {
                let length = usize::try_from(length).map_err(|_| cut_off())?;
                let (new, old) = rest.split_at_checked(length).ok_or_else(cut_off)?;
                (Some(self.0.deserialize(new)?), old)
            }
        };
        let old = (*has_old != 0).then(|| self.0.deserialize(old));
        Ok((new, old.transpose()?))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::serde::Utf8;

    fn there_and_back(new: Option<&str>, old: Option<&str>) -> NewAndOld<String> {
        let (new, old) = (new.map(str::to_owned), old.map(str::to_owned));
        let change = Change {
            new: new.as_ref(),
            old: old.as_ref(),
            is_latest: true,
        };
        let mut bytes = b"before".to_vec();
        ChangeSerde(Utf8).write(&change, &mut bytes).unwrap();
        ChangeSerde(Utf8).read(&bytes[6..]).unwrap()
    }

    #[test]
    fn both_values_come_back_and_an_empty_one_is_not_a_null() {
        for new in [None, Some(""), Some("new")] {
            for old in [None, Some(""), Some("old")] {
                let expected = (new.map(str::to_owned), old.map(str::to_owned));
                assert_eq!(there_and_back(new, old), expected);
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let mut bytes = Vec::new();
        let new = "new".to_owned();
        let change = Change {
            new: Some(&new),
            old: None,
            is_latest: true,
        };
        ChangeSerde(Utf8).write(&change, &mut bytes).unwrap();
        for length in 0..bytes.len() - 1 {
            let read: Result<NewAndOld<String>, _> = ChangeSerde(Utf8).read(&bytes[..length]);
            assert!(read.is_err(), "{length}");
        }
    }
}
