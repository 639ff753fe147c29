//! Absence as a type.

use super::{Serde, SerdeError, Written};

/// `Option<T>` by the serde of `T`: `None` is a null.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nullable<S>(pub S);

impl<T, S: Serde<T>> Serde<Option<T>> for Nullable<S> {
    #[inline]
    fn serialize(&self, value: &Option<T>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.serialize_nullable(value, out).map(|_| ())
    }

    #[inline]
    fn deserialize(&self, bytes: &[u8]) -> Result<Option<T>, SerdeError> {
        self.0.deserialize(bytes).map(Some)
    }

    #[inline]
    fn serialize_nullable(
        &self,
        value: &Option<T>,
        out: &mut Vec<u8>,
    ) -> Result<Written, SerdeError> {
        match value {
            Some(value) => self.0.serialize_nullable(value, out),
            None => Ok(Written::Null),
        }
    }

    #[inline]
    fn deserialize_null(&self) -> Result<Option<T>, SerdeError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::serde::{Deserializer, Serializer, Utf8};

    #[test]
    fn a_null_is_none_both_ways() {
        let serde = Nullable(Utf8);
        let mut out = Vec::new();
        assert_eq!(
            serde.write(&None::<String>, &mut out).unwrap(),
            Written::Null
        );
        assert!(serde.read(None, Option::<String>::is_none).unwrap());
    }

    #[test]
    fn an_empty_text_is_not_a_null() {
        let serde = Nullable(Utf8);
        let mut out = Vec::new();
        assert_eq!(
            serde.write(&Some(String::new()), &mut out).unwrap(),
            Written::Bytes
        );
        assert_eq!(
            serde.read(Some(b""), Option::<String>::clone).unwrap(),
            Some(String::new())
        );
    }
}
