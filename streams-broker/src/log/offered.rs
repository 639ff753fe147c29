//! A batch as a client offers it: what it says is compared with what is in it, before any lock is taken.
//!
//! The checks are those of Apache Kafka's `ProduceRequest.validateRecords` and `LogValidator`: one batch of format 2,
//! sound, with as many records as it says, which can be read and, where they are compressed, decompressed.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::batch::{Batch, MAGIC, UNCOUNTED, int};
use super::codec::Unreadable;
use super::record::records;
use super::refused::Refusal;
use crate::clock::Millis;

/// The length that a batch states is never less: what is in front of the records of the oldest format.
const SHORTEST: usize = 14;
/// Where the codec's number is, and the number of zstd.
const CODEC: usize = 22;
const ZSTD: u8 = 4;
/// The time of a record that has none.
pub(super) const NO_TIME: Millis = -1;

/// A client's batch, and what was found in it.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(super) batch: Batch,
    /// Whether each record has a key.
    pub(super) keyed: bool,
    /// The earliest time that a record has.
    pub(super) earliest: Option<Millis>,
}

impl Offered {
    /// The batch in a partition's bytes of a request.
    ///
    /// # Errors
    ///
    /// CORRUPT_MESSAGE if it is damaged; INVALID_RECORD if it isn't one batch, or not what it says; MESSAGE_TOO_LARGE if
    /// its records take more bytes than `most` when they are decompressed; UNKNOWN_SERVER_ERROR, as in Apache Kafka, if they
    /// cannot be decompressed.
    pub(crate) fn from_client(bytes: &Bytes, most: usize) -> Result<Offered, Refusal> {
        let batch = Batch::read(&one(bytes)?).ok_or(ResponseError::CorruptMessage)?;
        if batch.base_offset != 0 {
            return Err(ResponseError::InvalidRecord.into());
        }
        if !batch.has_right_checksum() {
            return Err(ResponseError::CorruptMessage.into());
        }
        let count = batch.stated_count();
        let counts_agree = batch.last_offset_delta.checked_add(1) == Some(count) && count > 0;
        // Without a sequence there would be no check for duplicates.
        let unsequenced = batch.has_producer() && batch.base_sequence < 0;
        if batch.is_control() || !counts_agree || unsequenced {
            return Err(ResponseError::InvalidRecord.into());
        }
        Offered::looked_into(batch, most)
    }

    fn looked_into(batch: Batch, most: usize) -> Result<Offered, Refusal> {
        let content = batch.content_of_at_most(most);
        let content = content.map_err(|unreadable| match unreadable {
            Unreadable::Damaged => ResponseError::UnknownServerError.into(),
            Unreadable::TooLarge => Refusal::Decompressed(most),
        })?;
        let (mut read, mut next, mut keyed) = (0, 0, true);
        let (mut earliest, mut latest) = (None, NO_TIME);
        for record in records(&content) {
            if record.offset_delta != next {
                return Err(ResponseError::InvalidRecord.into());
            }
            next += 1;
            read += record.bytes.len();
            keyed &= record.key.is_some();
            let time = batch.time_of(&record);
            latest = latest.max(time);
            if time != NO_TIME {
                earliest = Some(earliest.map_or(time, |earliest: Millis| earliest.min(time)));
            }
        }
        if read != content.len() || next != i64::from(batch.stated_count()) {
            return Err(ResponseError::InvalidRecord.into());
        }
        Ok(Offered {
            batch: batch.with_latest(latest),
            keyed,
            earliest,
        })
    }

    /// Whether a partition's bytes of a request are compressed with zstd.
    pub(crate) fn is_zstd(bytes: &Bytes) -> bool {
        bytes.get(CODEC).is_some_and(|codec| codec & 0x07 == ZSTD)
    }

    /// The batch itself.
    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// The bytes of the one batch that there may be; an incomplete one after it is left out.
fn one(bytes: &Bytes) -> Result<Bytes, ResponseError> {
    let length = length_of_first(bytes)?.ok_or(ResponseError::InvalidRecord)?;
    if bytes.get(MAGIC) != Some(&2) {
        return Err(ResponseError::InvalidRecord);
    }
    // More than one batch for a partition was legal in older versions of Produce only.
    if length_of_first(&bytes.slice(length..))?.is_some() {
        return Err(ResponseError::InvalidRecord);
    }
    Ok(bytes.slice(..length))
}

/// How many bytes the first batch has; `None` if it isn't complete (`ByteBufferLogInputStream`).
fn length_of_first(bytes: &Bytes) -> Result<Option<usize>, ResponseError> {
    let Some(magic) = bytes.get(MAGIC) else {
        return Ok(None);
    };
    let stated = int(bytes, 8).and_then(|length| usize::try_from(length).ok());
    let stated = stated.filter(|length| *length >= SHORTEST && *magic <= 2);
    let length = stated.ok_or(ResponseError::CorruptMessage)?;
    Ok(Some(length.saturating_add(UNCOUNTED)).filter(|length| *length <= bytes.len()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use bytes::BytesMut;

    use super::super::batch::tests::batch;
    use super::*;

    fn refused(bytes: &[u8]) -> ResponseError {
        let offered = Offered::from_client(&Bytes::copy_from_slice(bytes), usize::MAX);
        offered.unwrap_err().code()
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let good = batch((7, 1), 5, 3, true, 1000);
        for length in 0..good.len() {
            assert_eq!(refused(&good[..length]), ResponseError::InvalidRecord);
        }
        let mut changed = BytesMut::from(good.as_ref());
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(refused(&changed), ResponseError::CorruptMessage);
        for (at, value) in [(16, 3), (11, 13)] {
            let mut changed = BytesMut::from(good.as_ref());
            changed[at] = value;
            assert_eq!(refused(&changed), ResponseError::CorruptMessage);
        }
        let two = [good.as_ref(), good.as_ref()].concat();
        assert_eq!(refused(&two), ResponseError::InvalidRecord);
        let cut_off = [good.as_ref(), &good[..20]].concat();
        let offered = Offered::from_client(&Bytes::from(cut_off), usize::MAX).unwrap();
        assert_eq!(offered.batch.bytes, good);
    }

    #[test]
    fn what_is_in_a_batch_is_known_afterwards() {
        let offered = Offered::from_client(&batch((7, 1), 5, 3, true, 1000), usize::MAX).unwrap();
        assert_eq!((offered.keyed, offered.earliest), (false, Some(1000)));
        assert_eq!(offered.batch.max_timestamp, 1002);
    }
}
