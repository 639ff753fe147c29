//! Text.

use super::{Deserializer, HasSerde, Serde, SerdeError, Serializer, Written};

/// UTF-8 text: `str` as a view into the payload, `String` as a copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

impl Serializer<str> for Utf8 {
    #[inline]
    fn write(&self, value: &str, out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(Written::Bytes)
    }
}

impl Deserializer<str> for Utf8 {
    #[inline]
    fn read<R>(&self, bytes: Option<&[u8]>, then: impl FnOnce(&str) -> R) -> Result<R, SerdeError> {
        let bytes = bytes.ok_or_else(SerdeError::null::<str>)?;
        std::str::from_utf8(bytes)
            .map(then)
            .map_err(SerdeError::from)
    }
}

impl Serde<String> for Utf8 {
    #[inline]
    fn serialize(&self, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    #[inline]
    fn deserialize(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(SerdeError::from)
    }
}

impl HasSerde for str {
    type Serde = Utf8;
}

impl HasSerde for String {
    type Serde = Utf8;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn text_that_is_not_utf8_is_an_error_that_says_where() {
        let error = Serde::<String>::deserialize(&Utf8, b"ab\xff").unwrap_err();
        assert!(error.to_string().contains("index 2"), "{error}");
    }

    #[test]
    fn a_null_is_no_text() {
        let error = Deserializer::<str>::read(&Utf8, None, str::len).unwrap_err();
        assert!(error.to_string().contains("`Option<str>`"), "{error}");
        let error = Deserializer::<String>::read(&Utf8, None, String::len).unwrap_err();
        assert!(error.to_string().contains("`Option<String>`"), "{error}");
    }

    #[test]
    fn str_is_lent_and_not_copied() {
        let bytes = b"text".as_slice();
        let lent = Deserializer::<str>::read(&Utf8, Some(bytes), |s| s.as_ptr()).unwrap();
        assert_eq!(lent, bytes.as_ptr());
    }
}
