//! Record batches of empty records.

use std::time::SystemTime;

use bytes::{BufMut, Bytes, BytesMut};

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// A batch of empty records of now.
pub(crate) fn batch(producer: (i64, i16), sequence: i32, count: u8, transactional: bool) -> Bytes {
    encode(producer, sequence, count, transactional, now())
}

/// A batch of empty records of one time, from no producer that is known.
pub(crate) fn batch_at(timestamp: i64, count: u8) -> Bytes {
    encode((-1, -1), -1, count, false, timestamp)
}

fn encode(producer: (i64, i16), sequence: i32, count: u8, transactional: bool, now: i64) -> Bytes {
    let raw = RawBatch {
        attributes: if transactional { 0x10 } else { 0 },
        time: now,
        producer,
        sequence,
        ..RawBatch::of(
            (0..count)
                .flat_map(|index| record(index, 0, None))
                .collect(),
        )
    };
    raw.with_count(i32::from(count)).bytes()
}

/// A record without a value, whose time is so much later than its batch's. A key has one byte.
pub(crate) fn record(index: u8, later: u8, key: Option<u8>) -> Vec<u8> {
    assert!(index < 64 && later < 64, "a varint of one byte");
    let key = key.map_or(vec![1], |key| vec![2, key]);
    let fields = [vec![0, later * 2, index * 2], key, vec![1, 0]].concat();
    let length = u8::try_from(fields.len() * 2).unwrap();
    [vec![length], fields].concat()
}

/// A batch of which a case says everything.
#[derive(Debug, Clone)]
pub(crate) struct RawBatch {
    pub(crate) base_offset: i64,
    pub(crate) magic: u8,
    pub(crate) attributes: i16,
    /// What it says of its records' number, and of its last offset.
    pub(crate) count: i32,
    pub(crate) time: i64,
    /// What it says of its records' latest time.
    pub(crate) latest: Option<i64>,
    pub(crate) producer: (i64, i16),
    pub(crate) sequence: i32,
    pub(crate) records: Vec<u8>,
}

impl RawBatch {
    /// These bytes for one record of now, from no producer.
    pub(crate) fn of(records: Vec<u8>) -> RawBatch {
        RawBatch {
            base_offset: 0,
            magic: 2,
            attributes: 0,
            count: 1,
            time: now(),
            latest: None,
            producer: (-1, -1),
            sequence: -1,
            records,
        }
    }

    pub(crate) fn with_count(self, count: i32) -> RawBatch {
        RawBatch { count, ..self }
    }

    /// Its bytes, with the right length and checksum.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut covered = BytesMut::new();
        covered.put_i16(self.attributes);
        covered.put_i32(self.count - 1);
        covered.put_i64(self.time);
        covered.put_i64(self.latest.unwrap_or(self.time));
        covered.put_i64(self.producer.0);
        covered.put_i16(self.producer.1);
        covered.put_i32(self.sequence);
        covered.put_i32(self.count);
        covered.put_slice(&self.records);
        let mut bytes = BytesMut::new();
        bytes.put_i64(self.base_offset);
        bytes.put_i32(i32::try_from(covered.len() + 9).unwrap());
        bytes.put_i32(-1);
        bytes.put_u8(self.magic);
        bytes.put_u32(crc32c::crc32c(&covered));
        bytes.put_slice(&covered);
        bytes.freeze()
    }
}
