//! A record batch (message format 2), kept as the bytes that the producer sent.
//!
//! Only the header is read. Base offset and partition leader epoch lie outside the checksum, so the log writes them in
//! place; everything else stays untouched, whatever codec the records are compressed with.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;

/// Bytes before the first record.
const HEADER: usize = 61;
/// Bytes that the batch length doesn't count: base offset and the length itself.
const UNCOUNTED: usize = 12;
/// Where the checksum lies; it covers everything after it.
const CHECKSUM: usize = 17;
const COVERED: usize = 21;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const COMPRESSION: i16 = 0x07;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Commit,
    Abort,
}

/// A batch in the log, or on its way there.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) bytes: Bytes,
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    pub(crate) attributes: i16,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn short(bytes: &[u8], at: usize) -> Option<i16> {
    array(bytes, at).map(i16::from_be_bytes)
}

fn int(bytes: &[u8], at: usize) -> Option<i32> {
    array(bytes, at).map(i32::from_be_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<i64> {
    array(bytes, at).map(i64::from_be_bytes)
}

impl Batch {
    /// Reads the header; `None` if this isn't one batch of format 2 with a right length.
    fn read(bytes: &Bytes) -> Option<Batch> {
        let length = usize::try_from(int(bytes, 8)?)
            .ok()?
            .checked_add(UNCOUNTED)?;
        if length != bytes.len() || bytes.len() < HEADER || bytes.get(16) != Some(&2) {
            return None;
        }
        Some(Batch {
            base_offset: long(bytes, 0)?,
            attributes: short(bytes, 21)?,
            last_offset_delta: int(bytes, 23)?,
            base_timestamp: long(bytes, 27)?,
            max_timestamp: long(bytes, 35)?,
            producer_id: long(bytes, 43)?,
            producer_epoch: short(bytes, 51)?,
            base_sequence: int(bytes, 53)?,
            bytes: bytes.clone(),
        })
    }

    /// A batch as a client sent it: one batch, sound, and not a control batch.
    pub(crate) fn from_client(bytes: &Bytes) -> Result<Batch, ResponseError> {
        if bytes.get(16).is_some_and(|magic| *magic != 2) {
            return Err(ResponseError::InvalidRecord);
        }
        // More than one batch for a partition was legal in older versions of Produce only.
        let first = int(bytes, 8).and_then(|length| usize::try_from(length).ok());
        if first.is_some_and(|length| length.saturating_add(UNCOUNTED) < bytes.len()) {
            return Err(ResponseError::InvalidRecord);
        }
        let batch = Batch::read(bytes).ok_or(ResponseError::CorruptMessage)?;
        let stated = array(bytes, CHECKSUM).map(u32::from_be_bytes);
        let covered = bytes.get(COVERED..).unwrap_or_default();
        if stated != Some(crc32c::crc32c(covered)) {
            return Err(ResponseError::CorruptMessage);
        }
        let count = int(bytes, 57).unwrap_or_default();
        let counts_agree = batch.last_offset_delta.checked_add(1) == Some(count) && count > 0;
        if batch.is_control() || !counts_agree {
            return Err(ResponseError::InvalidRecord);
        }
        Ok(batch)
    }

    /// The control batch that ends a transaction in a partition.
    pub(crate) fn marker(producer_id: i64, epoch: i16, outcome: Outcome, now: i64) -> Batch {
        let kind = match outcome {
            Outcome::Abort => 0,
            Outcome::Commit => 1,
        };
        // Length 16, no attributes, deltas 0; key of 4: version, type; value of 6: version, coordinator epoch; no headers.
        let record = [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, 0, 0, 0, 0, 0];
        let mut covered = BytesMut::with_capacity(HEADER);
        covered.put_i16(TRANSACTIONAL | CONTROL);
        covered.put_i32(0);
        covered.put_i64(now);
        covered.put_i64(now);
        covered.put_i64(producer_id);
        covered.put_i16(epoch);
        covered.put_i32(-1);
        covered.put_i32(1);
        covered.put_slice(&record);
        let mut bytes = BytesMut::with_capacity(HEADER + record.len());
        bytes.put_i64(0);
        bytes.put_i32(i32::try_from(covered.len() + COVERED - UNCOUNTED).unwrap_or_default());
        bytes.put_i32(0);
        bytes.put_i8(2);
        bytes.put_u32(crc32c::crc32c(&covered));
        bytes.put_slice(&covered);
        Batch {
            bytes: bytes.freeze(),
            base_offset: 0,
            last_offset_delta: 0,
            attributes: TRANSACTIONAL | CONTROL,
            base_timestamp: now,
            max_timestamp: now,
            producer_id,
            producer_epoch: epoch,
            base_sequence: -1,
        }
    }

    /// The same batch at its place in the log: offset and leader epoch written, memory of its own.
    pub(crate) fn at(mut self, base_offset: i64) -> Batch {
        let mut bytes = BytesMut::with_capacity(self.bytes.len());
        bytes.put_i64(base_offset);
        bytes.put_slice(self.bytes.get(8..12).unwrap_or_default());
        bytes.put_i32(0);
        bytes.put_slice(self.bytes.get(16..).unwrap_or_default());
        self.bytes = bytes.freeze();
        self.base_offset = base_offset;
        self
    }

    /// Stamps the broker's time on it, for topics with `LogAppendTime`.
    pub(crate) fn stamped(mut self, now: i64) -> Batch {
        let mut bytes = BytesMut::from(self.bytes.as_ref());
        self.attributes |= 0x08;
        self.max_timestamp = now;
        if let Some(place) = bytes.get_mut(21..23) {
            place.copy_from_slice(&self.attributes.to_be_bytes());
        }
        if let Some(place) = bytes.get_mut(35..43) {
            place.copy_from_slice(&now.to_be_bytes());
        }
        let checksum = crc32c::crc32c(bytes.get(COVERED..).unwrap_or_default());
        if let Some(place) = bytes.get_mut(CHECKSUM..COVERED) {
            place.copy_from_slice(&checksum.to_be_bytes());
        }
        self.bytes = bytes.freeze();
        self
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// The sequence number of the last record; sequences wrap to 0 after the largest int.
    pub(crate) fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        let wrapped = if last > i64::from(i32::MAX) {
            last - i64::from(i32::MAX) - 1
        } else {
            last
        };
        i32::try_from(wrapped).unwrap_or_default()
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) fn is_stamped(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    /// What is said of each record; of a compressed batch, only its first offset with its largest timestamp.
    pub(crate) fn timestamps(&self) -> Vec<(i64, i64)> {
        if self.is_compressed() || self.is_stamped() {
            return vec![(self.base_offset, self.max_timestamp)];
        }
        let timestamps = self.records().map(|record| {
            (
                self.base_offset.saturating_add(record.offset_delta),
                self.base_timestamp.saturating_add(record.timestamp_delta),
            )
        });
        timestamps.collect()
    }

    /// Whether each record has a key; a compressed batch is believed to.
    pub(crate) fn is_keyed(&self) -> bool {
        self.is_compressed() || self.records().all(|record| record.has_key)
    }

    fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION != 0
    }

    fn records(&self) -> impl Iterator<Item = RecordHead> + '_ {
        let mut rest = self.bytes.get(HEADER..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (record, after) = RecordHead::read(rest)?;
            rest = after;
            Some(record)
        })
    }
}

/// The beginning of a record.
#[derive(Debug, Clone, Copy)]
struct RecordHead {
    timestamp_delta: i64,
    offset_delta: i64,
    has_key: bool,
}

impl RecordHead {
    /// The first record of these bytes, and the bytes after it.
    fn read(bytes: &[u8]) -> Option<(RecordHead, &[u8])> {
        let (length, body) = varint(bytes)?;
        let after = body.get(usize::try_from(length).ok()?..)?;
        let (_attributes, fields) = body.split_first()?;
        let (timestamp_delta, fields) = varint(fields)?;
        let (offset_delta, fields) = varint(fields)?;
        let (key_length, _) = varint(fields)?;
        let has_key = key_length >= 0;
        Some((
            RecordHead {
                timestamp_delta,
                offset_delta,
                has_key,
            },
            after,
        ))
    }
}

/// A zigzag varint of up to 64 bits, and what follows it.
fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let decoded = (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
            return Some((decoded, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A batch of `count` empty records, one millisecond apart from `timestamp` on.
    pub(crate) fn batch(
        producer: (i64, i16),
        sequence: i32,
        count: u8,
        transactional: bool,
        timestamp: i64,
    ) -> Bytes {
        let mut covered = BytesMut::new();
        covered.put_i16(if transactional { TRANSACTIONAL } else { 0 });
        covered.put_i32(i32::from(count) - 1);
        covered.put_i64(timestamp);
        covered.put_i64(timestamp + i64::from(count) - 1);
        covered.put_i64(producer.0);
        covered.put_i16(producer.1);
        covered.put_i32(sequence);
        covered.put_i32(i32::from(count));
        for index in 0..count {
            covered.put_slice(&[12, 0, index * 2, index * 2, 1, 1, 0]);
        }
        let mut bytes = BytesMut::new();
        bytes.put_i64(0);
        bytes.put_i32(i32::try_from(covered.len() + 9).unwrap());
        bytes.put_i32(-1);
        bytes.put_i8(2);
        bytes.put_u32(crc32c::crc32c(&covered));
        bytes.put_slice(&covered);
        bytes.freeze()
    }

    #[test]
    fn a_clients_batch_is_read_and_placed() {
        let read = Batch::from_client(&batch((7, 1), 5, 3, true, 1000))
            .unwrap()
            .at(42);
        assert_eq!(
            (read.base_offset, read.last_offset(), read.last_sequence()),
            (42, 44, 7)
        );
        assert!(read.is_transactional() && !read.is_control());
        assert_eq!(read.timestamps(), [(42, 1000), (43, 1001), (44, 1002)]);
        // The checksum still holds, since offset and leader epoch are outside it.
        assert!(Batch::from_client(&read.bytes).is_ok());
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let good = batch((7, 1), 5, 3, true, 1000);
        for length in 0..good.len() {
            assert!(Batch::from_client(&good.slice(..length)).is_err());
        }
        let mut changed = BytesMut::from(good.as_ref());
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(
            Batch::from_client(&changed.freeze()).unwrap_err(),
            ResponseError::CorruptMessage
        );
    }

    #[test]
    fn a_marker_is_a_sound_control_batch() {
        let marker = Batch::marker(9, 3, Outcome::Commit, 1000).at(17);
        let read = Batch::read(&marker.bytes).unwrap();
        assert!(read.is_control() && read.is_transactional());
        assert_eq!(
            (
                read.producer_id,
                read.producer_epoch,
                read.base_offset,
                read.last_offset()
            ),
            (9, 3, 17, 17)
        );
        assert_eq!(read.timestamps(), [(17, 1000)]);
        // Never accepted from a client.
        assert_eq!(
            Batch::from_client(&marker.bytes).unwrap_err(),
            ResponseError::InvalidRecord
        );
    }

    #[test]
    fn sequences_wrap() {
        let read = Batch::from_client(&batch((7, 1), i32::MAX, 3, false, 0)).unwrap();
        assert_eq!(read.last_sequence(), 1);
    }

    #[test]
    fn a_stamped_batch_keeps_a_right_checksum() {
        let stamped = Batch::from_client(&batch((7, 1), 0, 3, false, 5))
            .unwrap()
            .stamped(99);
        let read = Batch::from_client(&stamped.bytes).unwrap();
        assert_eq!((read.max_timestamp, read.is_stamped()), (99, true));
    }
}
