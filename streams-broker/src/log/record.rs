//! The records inside a batch, as far as the broker looks at them.

/// A record, with the bytes that it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// All of it, its length included.
    pub(super) bytes: &'a [u8],
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) has_value: bool,
}

impl<'a> Record<'a> {
    /// The first record of these bytes, and the bytes after it; `None` if its lengths don't fit (`DefaultRecord.readFrom`).
    fn read(bytes: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let (length, body) = varint(bytes)?;
        let (fields, after) = body.split_at_checked(usize::try_from(length).ok()?)?;
        let (_attributes, fields) = fields.split_first()?;
        let (timestamp_delta, fields) = varint(fields)?;
        let (offset_delta, fields) = varint(fields)?;
        let (key, fields) = nullable(fields)?;
        let (value, fields) = nullable(fields)?;
        let (headers, mut fields) = varint(fields)?;
        for _ in 0..usize::try_from(headers).ok()? {
            let (_name, rest) = nullable(fields)?;
            let (_value, rest) = nullable(rest)?;
            fields = rest;
        }
        if !fields.is_empty() {
            return None;
        }
        let record = Record {
            bytes: bytes.get(..bytes.len() - after.len())?,
            timestamp_delta,
            offset_delta,
            key,
            has_value: value.is_some(),
        };
        Some((record, after))
    }
}

/// Bytes after their length, which is negative where there are none.
fn nullable(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = varint(bytes)?;
    match usize::try_from(length) {
        Ok(length) => {
            let (value, rest) = rest.split_at_checked(length)?;
            Some((Some(value), rest))
        }
        Err(_) => Some((None, rest)),
    }
}

/// The records of decompressed bytes, up to the first that cannot be read.
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (record, after) = Record::read(rest)?;
        rest = after;
        Some(record)
    })
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
