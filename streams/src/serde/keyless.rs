//! Records whose key does not matter.

use super::{Serde, SerdeError, TopicKey, Written};

/// The key type of records whose key is not looked at: read from any key, also from none, and written as a null.
///
/// A `KStream<Keyless, _>` cannot be grouped by key or joined: `select_key` gives it one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyless;

/// The serde of [`Keyless`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKey;

impl Serde<Keyless> for NoKey {
    #[inline]
    fn serialize(&self, _: &Keyless, _: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(())
    }

    #[inline]
    fn deserialize(&self, _: &[u8]) -> Result<Keyless, SerdeError> {
        Ok(Keyless)
    }

    #[inline]
    fn serialize_nullable(&self, _: &Keyless, _: &mut Vec<u8>) -> Result<Written, SerdeError> {
        Ok(Written::Null)
    }

    #[inline]
    fn deserialize_null(&self) -> Result<Keyless, SerdeError> {
        Ok(Keyless)
    }
}

impl TopicKey for Keyless {
    type KeySerde = NoKey;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::serde::{Deserializer, Serializer};

    #[test]
    fn any_key_will_do_and_none_is_written() {
        assert_eq!(NoKey.read(Some(b"key"), |k: &Keyless| *k).unwrap(), Keyless);
        assert_eq!(NoKey.read(None, |k: &Keyless| *k).unwrap(), Keyless);
        let mut out = Vec::new();
        assert_eq!(NoKey.write(&Keyless, &mut out).unwrap(), Written::Null);
        assert!(out.is_empty());
    }
}
