//! JSON.

use super::{Serde, SerdeError, Written};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// JSON, for every type with `#[derive(Serialize, Deserialize)]`.
///
/// JSON's `null` and Kafka's are one: what is written as `null` becomes a record's null, and a null is read as if it were
/// the text `null`. So `Option<T>` works as one expects, and a struct refuses it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

const NULL: &[u8] = b"null";

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Serde<T> for Json {
    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(serde_json::to_writer(out, value)?)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    fn serialize_nullable(&self, value: &T, out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        let start = out.len();
        self.serialize(value, out)?;
        if out.get(start..) == Some(NULL) {
            out.truncate(start);
            return Ok(Written::Null);
        }
        Ok(Written::Bytes)
    }

    fn deserialize_null(&self) -> Result<T, SerdeError> {
        serde_json::from_slice(NULL).map_err(|_| SerdeError::null::<T>())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::serde::{Deserializer, Serializer};

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Point {
        x: i32,
    }

    #[test]
    fn a_value_is_appended_and_read_back() {
        let mut out = b"before".to_vec();
        assert_eq!(
            Json.write(&Point { x: 3 }, &mut out).unwrap(),
            Written::Bytes
        );
        assert_eq!(out, br#"before{"x":3}"#);
        assert_eq!(
            Serde::<Point>::deserialize(&Json, br#"{"x":3}"#).unwrap(),
            Point { x: 3 }
        );
    }

    #[test]
    fn an_empty_option_is_a_null_both_ways() {
        let mut out = b"before".to_vec();
        assert_eq!(Json.write(&None::<Point>, &mut out).unwrap(), Written::Null);
        assert_eq!(out, b"before");
        assert!(Json.read(None, Option::<Point>::is_none).unwrap());
    }

    #[test]
    fn a_struct_has_no_place_for_a_null() {
        let error = Json.read(None, |p: &Point| p.x).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is null, and `Point` has no place for a null; `Option<Point>` has"
        );
    }
}
