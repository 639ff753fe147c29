//! A record batch (message format 2), kept as the bytes that the producer sent.
//!
//! Base offset and partition leader epoch lie outside the checksum, so the log writes them in place; everything else stays
//! untouched, whatever codec the records are compressed with.

use bytes::{BufMut, Bytes, BytesMut};

use super::codec::{Unreadable, compress, decompress};
use super::record::{Record, records};
use crate::clock::Millis;

/// Bytes before the first record.
const HEADER: usize = 61;
/// Bytes that the batch length doesn't count: base offset and the length itself.
pub(super) const UNCOUNTED: usize = 12;
/// Where the format's version lies.
pub(super) const MAGIC: usize = 16;
/// Where the checksum lies; it covers everything after it.
const CHECKSUM: usize = 17;
const COVERED: usize = 21;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const COMPRESSION: i16 = 0x07;
/// The broker's time has taken the place of the records'.
const STAMPED: i16 = 0x08;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Commit,
    Abort,
}

/// What a coordinator says of the end of a transaction, in each partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marker {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) outcome: Outcome,
    pub(crate) coordinator_epoch: i32,
}

#[cfg(any(test, fuzzing))]
impl Marker {
    /// Of the first coordinator.
    pub(crate) fn of(producer_id: i64, producer_epoch: i16, outcome: Outcome) -> Marker {
        Marker {
            producer_id,
            producer_epoch,
            outcome,
            coordinator_epoch: 0,
        }
    }
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
    /// When compaction may drop the tombstones in it, or the marker that it is.
    pub(super) delete_horizon: Option<Millis>,
    /// No batch up to here has a later record; what was the latest may be gone.
    pub(super) latest_so_far: Millis,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn short(bytes: &[u8], at: usize) -> Option<i16> {
    array(bytes, at).map(i16::from_be_bytes)
}

pub(super) fn int(bytes: &[u8], at: usize) -> Option<i32> {
    array(bytes, at).map(i32::from_be_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<i64> {
    array(bytes, at).map(i64::from_be_bytes)
}

impl Batch {
    /// Reads the header; `None` if this isn't one batch of format 2 with a right length.
    pub(super) fn read(bytes: &Bytes) -> Option<Batch> {
        let length = usize::try_from(int(bytes, 8)?)
            .ok()?
            .checked_add(UNCOUNTED)?;
        if length != bytes.len() || bytes.len() < HEADER || bytes.get(MAGIC) != Some(&2) {
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
            delete_horizon: None,
            latest_so_far: Millis::MIN,
        })
    }

    /// The control batch that ends a transaction in a partition.
    pub(crate) fn marker(marker: Marker, now: i64) -> Batch {
        let kind = match marker.outcome {
            Outcome::Abort => 0,
            Outcome::Commit => 1,
        };
        let [a, b, c, d] = marker.coordinator_epoch.to_be_bytes();
        // Length 16, no attributes, deltas 0; key of 4: version, type; value of 6: version, coordinator epoch; no headers.
        let record = [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, a, b, c, d, 0];
        let mut covered = BytesMut::with_capacity(HEADER);
        covered.put_i16(TRANSACTIONAL | CONTROL);
        covered.put_i32(0);
        covered.put_i64(now);
        covered.put_i64(now);
        covered.put_i64(marker.producer_id);
        covered.put_i16(marker.producer_epoch);
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
            producer_id: marker.producer_id,
            producer_epoch: marker.producer_epoch,
            base_sequence: -1,
            delete_horizon: None,
            latest_so_far: Millis::MIN,
        }
    }

    /// The same batch at its place in the log: offset and leader epoch written, memory of its own.
    pub(crate) fn at(mut self, base_offset: i64, leader_epoch: i32) -> Batch {
        let mut bytes = BytesMut::with_capacity(self.bytes.len());
        bytes.put_i64(base_offset);
        bytes.put_slice(self.bytes.get(8..12).unwrap_or_default());
        bytes.put_i32(leader_epoch);
        bytes.put_slice(self.bytes.get(16..).unwrap_or_default());
        self.bytes = bytes.freeze();
        self.base_offset = base_offset;
        self
    }

    /// Stamps the broker's time on it, for topics with `LogAppendTime`.
    pub(crate) fn stamped(mut self, now: i64) -> Batch {
        let mut bytes = BytesMut::from(self.bytes.as_ref());
        self.attributes |= STAMPED;
        self.max_timestamp = now;
        put(&mut bytes, 21, &self.attributes.to_be_bytes());
        put(&mut bytes, 35, &now.to_be_bytes());
        self.bytes = summed(bytes);
        self
    }

    /// The same batch, which says truly that the latest of its records' own times is this one.
    pub(super) fn with_latest(mut self, latest: Millis) -> Batch {
        if self.max_timestamp == latest && !self.is_stamped() {
            return self;
        }
        let mut bytes = BytesMut::from(self.bytes.as_ref());
        self.attributes &= !STAMPED;
        self.max_timestamp = latest;
        put(&mut bytes, 21, &self.attributes.to_be_bytes());
        put(&mut bytes, 35, &latest.to_be_bytes());
        self.bytes = summed(bytes);
        self
    }

    pub(super) fn has_right_checksum(&self) -> bool {
        let stated = array(&self.bytes, CHECKSUM).map(u32::from_be_bytes);
        let covered = self.bytes.get(COVERED..).unwrap_or_default();
        stated == Some(crc32c::crc32c(covered))
    }

    /// How many records it says that it has.
    pub(super) fn stated_count(&self) -> i32 {
        int(&self.bytes, 57).unwrap_or_default()
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
        self.attributes & STAMPED != 0
    }

    /// The offset and the time of each record. Where the broker stamps its time, all have the same.
    pub(crate) fn timestamps(&self) -> Vec<(i64, i64)> {
        if self.is_stamped() {
            return vec![(self.base_offset, self.max_timestamp)];
        }
        let Ok(content) = self.content() else {
            return vec![(self.base_offset, self.max_timestamp)];
        };
        let timestamps =
            records(&content).map(|record| (self.offset_of(&record), self.time_of(&record)));
        timestamps.collect()
    }

    /// The records, decompressed, of a batch that was found to have no more bytes of them than is allowed.
    pub(super) fn content(&self) -> Result<Bytes, Unreadable> {
        self.content_of_at_most(usize::MAX)
    }

    /// The records, decompressed, if they have no more bytes than these.
    pub(super) fn content_of_at_most(&self, most: usize) -> Result<Bytes, Unreadable> {
        let content = self.bytes.slice(HEADER..);
        decompress(most, self.attributes & COMPRESSION, &content)
    }

    /// The record's own time.
    pub(super) fn time_of(&self, record: &Record<'_>) -> Millis {
        self.base_timestamp.saturating_add(record.timestamp_delta)
    }

    pub(super) fn offset_of(&self, record: &Record<'_>) -> i64 {
        self.base_offset.saturating_add(record.offset_delta)
    }

    /// The same batch, from its first to its last offset, with only these of its records, compressed as they were. `None`
    /// if the codec fails, which it has no reason to.
    pub(super) fn with_records(&self, kept: &[Record<'_>]) -> Option<Batch> {
        let content: Vec<_> = kept.iter().map(|record| record.bytes).collect();
        let content = compress(self.attributes & COMPRESSION, &content.concat()).ok()?;
        let mut bytes = BytesMut::with_capacity(HEADER + content.len());
        bytes.put_slice(self.bytes.get(..HEADER)?);
        bytes.put_slice(&content);
        let mut batch = self.clone();
        if !self.is_stamped() {
            let latest = kept.iter().map(|record| record.timestamp_delta).max();
            batch.max_timestamp = self.base_timestamp.saturating_add(latest?);
        }
        let length = i32::try_from(bytes.len() - UNCOUNTED).ok()?;
        let count = i32::try_from(kept.len()).ok()?;
        put(&mut bytes, 8, &length.to_be_bytes());
        put(&mut bytes, 35, &batch.max_timestamp.to_be_bytes());
        put(&mut bytes, 57, &count.to_be_bytes());
        batch.bytes = summed(bytes);
        Some(batch)
    }
}

/// Overwrites bytes that are there.
fn put(bytes: &mut BytesMut, at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Writes the checksum of what it covers.
fn summed(mut bytes: BytesMut) -> Bytes {
    let checksum = crc32c::crc32c(bytes.get(COVERED..).unwrap_or_default());
    put(&mut bytes, CHECKSUM, &checksum.to_be_bytes());
    bytes.freeze()
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use kafka_protocol::ResponseError;

    use super::super::offered::Offered;
    use super::*;

    pub(crate) fn from_client(bytes: &Bytes) -> Batch {
        Offered::from_client(bytes, usize::MAX).unwrap().batch
    }

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

    /// A batch with these keys, one letter each; those in capitals are tombstones. Its time is 0, and it is
    /// transactional if it has a producer.
    pub(crate) fn keyed(producer: Option<i64>, keys: &str) -> Bytes {
        let count = u8::try_from(keys.len()).unwrap();
        let (id, epoch) = producer.map_or((-1, -1), |id| (id, 0));
        let sequence = if producer.is_some() { 0 } else { -1 };
        let template = batch((id, epoch), sequence, count, producer.is_some(), 0);
        let mut bytes = BytesMut::from(&template[..HEADER]);
        put(&mut bytes, 35, &0_i64.to_be_bytes());
        for (index, key) in (0..count).zip(keys.bytes()) {
            let value: &[u8] = if key.is_ascii_uppercase() {
                &[1]
            } else {
                &[2, b'v']
            };
            let fields = [
                &[0, 0, index * 2, 2, key.to_ascii_lowercase()][..],
                value,
                &[0],
            ]
            .concat();
            bytes.put_u8(u8::try_from(fields.len() * 2).unwrap());
            bytes.put_slice(&fields);
        }
        let length = i32::try_from(bytes.len() - UNCOUNTED).unwrap();
        put(&mut bytes, 8, &length.to_be_bytes());
        summed(bytes)
    }

    /// A batch as a client sends it that has compressed these records of it.
    pub(crate) fn with_content(batch: &Bytes, codec: u8, compressed: &[u8]) -> Bytes {
        let mut bytes = BytesMut::from(&batch[..HEADER]);
        bytes[22] |= codec;
        bytes.put_slice(compressed);
        let length = i32::try_from(bytes.len() - UNCOUNTED).unwrap();
        put(&mut bytes, 8, &length.to_be_bytes());
        summed(bytes)
    }

    /// The same batch, compressed.
    pub(crate) fn compressed(batch: &Bytes, codec: u8) -> Bytes {
        let content = compress(codec.into(), &batch[HEADER..]).unwrap();
        with_content(batch, codec, &content)
    }

    /// The same batch, compressed with snappy in fewer bytes than Java's clients and this broker take.
    pub(crate) fn densely_compressed(batch: &Bytes) -> Bytes {
        let mut encoder = snap::raw::Encoder::new();
        let content = encoder.compress_vec(&batch[HEADER..]).unwrap();
        with_content(batch, 2, &content)
    }

    #[test]
    fn a_clients_batch_is_read_and_placed() {
        let read = from_client(&batch((7, 1), 5, 3, true, 1000)).at(42, 7);
        assert_eq!(
            (read.base_offset, read.last_offset(), read.last_sequence()),
            (42, 44, 7)
        );
        assert!(read.is_transactional() && !read.is_control());
        assert_eq!(read.timestamps(), [(42, 1000), (43, 1001), (44, 1002)]);
        assert_eq!(int(&read.bytes, 12), Some(7), "the leader's epoch");
        // The checksum still holds, since offset and leader epoch are outside it.
        assert!(Batch::read(&read.bytes).unwrap().has_right_checksum());
    }

    #[test]
    fn a_marker_is_a_sound_control_batch() {
        let of = Marker {
            coordinator_epoch: 5,
            ..Marker::of(9, 3, Outcome::Commit)
        };
        let marker = Batch::marker(of, 1000).at(17, 0);
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
        let value = [12, 0, 0, 0, 0, 0, 5, 0];
        assert!(read.bytes.ends_with(&value), "the coordinator's epoch");
        // Never accepted from a client.
        let sent = Batch::marker(of, 1000);
        assert_eq!(
            Offered::from_client(&sent.bytes, usize::MAX)
                .unwrap_err()
                .code(),
            ResponseError::InvalidRecord
        );
    }

    #[test]
    fn sequences_wrap() {
        let read = from_client(&batch((7, 1), i32::MAX, 3, false, 0));
        assert_eq!(read.last_sequence(), 1);
    }

    #[test]
    fn a_stamped_batch_keeps_a_right_checksum() {
        let stamped = from_client(&batch((7, 1), 0, 3, false, 5)).stamped(99);
        let read = Batch::read(&stamped.bytes).unwrap();
        assert!(read.has_right_checksum());
        assert_eq!((read.max_timestamp, read.is_stamped()), (99, true));
        // A client that claims so is told better.
        let read = from_client(&stamped.bytes);
        assert!(read.has_right_checksum());
        assert_eq!((read.max_timestamp, read.is_stamped()), (7, false));
    }
}
