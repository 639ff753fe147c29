//! Bytes as they are.

use super::{Deserializer, HasSerde, Serde, SerdeError, Serializer, Written};

/// The bytes themselves: `[u8]` as a view into the record's own, `Vec<u8>` as a copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes;

impl Serializer<[u8]> for Bytes {
    #[inline]
    fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        out.extend_from_slice(value);
        Ok(Written::Bytes)
    }
}

impl Deserializer<[u8]> for Bytes {
    #[inline]
    fn read<R>(
        &self,
        bytes: Option<&[u8]>,
        then: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, SerdeError> {
        Ok(then(bytes.ok_or_else(SerdeError::null::<[u8]>)?))
    }
}

impl Serde<Vec<u8>> for Bytes {
    fn serialize(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Vec<u8>, SerdeError> {
        Ok(bytes.to_vec())
    }
}

impl HasSerde for [u8] {
    type Serde = Bytes;
}

impl HasSerde for Vec<u8> {
    type Serde = Bytes;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn bytes_are_lent_and_not_copied() {
        let bytes = b"\x00\xff".as_slice();
        assert_eq!(
            Deserializer::<[u8]>::read(&Bytes, Some(bytes), <[u8]>::as_ptr).unwrap(),
            bytes.as_ptr()
        );
        assert_eq!(Serde::<Vec<u8>>::deserialize(&Bytes, bytes).unwrap(), bytes);
    }

    #[test]
    fn a_null_is_not_an_empty_value() {
        assert!(Deserializer::<[u8]>::read(&Bytes, None, <[u8]>::len).is_err());
        assert_eq!(
            Deserializer::<[u8]>::read(&Bytes, Some(b""), <[u8]>::len).unwrap(),
            0
        );
    }
}
