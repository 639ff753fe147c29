//! What is committed with an offset: the stream time of the task, in Kafka Streams' own form
//! (`org.apache.kafka.streams.processor.internals.TopicPartitionMetadata`): base 64 of a version and eight bytes.

/// The version that is written; in the one before, nothing can follow the time.
const VERSION: u8 = 2;
const VERSIONS: [u8; 2] = [1, VERSION];

/// Version and time are nine bytes, which twelve digits tell.
const LENGTH: u32 = 12;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(stream_time: i64) -> String {
    let number = u128::from(VERSION) << 64 | u128::from(stream_time.cast_unsigned());
    let digit = |at: u32| {
        let value = usize::try_from(number >> (6 * at) & 63).unwrap_or_default();
        DIGITS.get(value).copied().map(char::from)
    };
    (0..LENGTH).rev().filter_map(digit).collect()
}

/// None, where something else was committed, or nothing.
pub(super) fn decode(metadata: &[u8]) -> Option<i64> {
    let digits = metadata.get(..usize::try_from(LENGTH).ok()?)?;
    let value = |digit: &u8| DIGITS.iter().position(|known| known == digit);
    let number = digits.iter().try_fold(0_u128, |number, digit| {
        Some(number << 6 | u128::try_from(value(digit)?).ok()?)
    })?;
    let [version, time @ ..] = number.to_be_bytes().last_chunk::<9>().copied()?;
    let time = i64::from_be_bytes(time);
    (VERSIONS.contains(&version) && time >= 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_kafka_streams_writes_and_reads() {
        assert_eq!(encode(1_700_000_000_000), "AgAAAYvP5WgA");
        assert_eq!(decode(b"AgAAAYvP5WgA"), Some(1_700_000_000_000));
        assert_eq!(decode(b"AQAAAAAAAADI"), Some(200));
        // With what processors have written.
        assert_eq!(decode(b"AgAAAYvP5WgAAAAA"), Some(1_700_000_000_000));
        for time in [0, 1, i64::MAX] {
            assert_eq!(decode(encode(time).as_bytes()), Some(time));
        }
    }

    #[test]
    fn what_is_of_another_kind_is_no_time() {
        // Nothing, too little, other text, another version, and no time (-1).
        let others: [&[u8]; 5] = [
            b"",
            b"AgAAAYvP5Wg",
            b"by the owner",
            b"AwAAAYvP5WgA",
            b"Av//////////",
        ];
        assert_eq!(others.map(decode), [None; 5]);
        assert_eq!(decode(b"\xff\xfe metadata that is no text"), None);
    }
}
