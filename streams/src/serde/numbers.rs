//! Numbers as Kafka's own serializers write them (`LongSerializer`, `IntegerSerializer`, `DoubleSerializer`, …).

use super::{HasSerde, Serde, SerdeError};

/// Numbers, most significant byte first.
#[derive(Clone, Copy, Debug, Default)]
pub struct BigEndian;

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Serde<$number> for BigEndian {
            #[inline]
            fn serialize(&self, value: &$number, out: &mut Vec<u8>) -> Result<(), SerdeError> {
                out.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }

            #[inline]
            fn deserialize(&self, bytes: &[u8]) -> Result<$number, SerdeError> {
                bytes.try_into().map(<$number>::from_be_bytes).map_err(|_| {
                    SerdeError::new(format!(
                        "a big-endian `{}` has {} bytes, found {}",
                        stringify!($number),
                        size_of::<$number>(),
                        bytes.len()
                    ))
                })
            }
        }

        impl HasSerde for $number {
            type Serde = BigEndian;
        }
    )*};
}

numbers! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_is_written_as_kafka_writes_it() {
        let mut out = Vec::new();
        assert!(BigEndian.serialize(&258_u64, &mut out).is_ok());
        assert_eq!(out, [0, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_wrong_length_says_what_was_expected() {
        let error = Serde::<i64>::deserialize(&BigEndian, &[1, 2, 3]).map_err(|e| e.to_string());
        assert_eq!(
            error,
            Err("a big-endian `i64` has 8 bytes, found 3".to_owned())
        );
    }
}
