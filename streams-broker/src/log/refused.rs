//! A batch that is refused for some of its records, and which of them are to blame (`LogValidator` in Apache Kafka).
//!
//! Clients tell these records' senders what is wrong, and the others that they were in bad company. Looking for them takes
//! time, so it is left to when the lock is given back.

use kafka_protocol::ResponseError;

use super::Admission;
use super::batch::Batch;
use super::offered::{NO_TIME, Offered};
use super::record::{Record, records};
use crate::clock::Millis;

/// Why a batch was not appended.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// For what it is as a whole.
    Whole(ResponseError),
    /// Its records have more than so many bytes when they are decompressed.
    Decompressed(usize),
    /// For some of its records.
    Records(Box<RefusedRecords>),
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Refusal::Whole(error)
    }
}

impl Refusal {
    /// The code that is answered.
    pub(crate) fn code(&self) -> ResponseError {
        match self {
            Refusal::Whole(error) => *error,
            Refusal::Decompressed(_) => ResponseError::MessageTooLarge,
            Refusal::Records(refused) => refused.code(),
        }
    }
}

/// A batch with records to blame, and the rules that they break.
#[derive(Debug)]
pub(crate) struct RefusedRecords {
    batch: Batch,
    rules: Admission,
    now: Millis,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    NoKey,
    Time(Millis),
}

impl RefusedRecords {
    pub(super) fn new(offered: Offered, rules: Admission, now: Millis) -> Self {
        Self {
            batch: offered.batch,
            rules,
            now,
        }
    }

    /// A wrong time is told before a missing key, whichever record it is of.
    fn code(&self) -> ResponseError {
        let mut code = ResponseError::InvalidRecord;
        self.each(|_, wrong| {
            if wrong != Wrong::NoKey {
                code = ResponseError::InvalidTimestamp;
            }
        });
        code
    }

    /// The first records to blame, so many of them, by their places in the batch, with the words for each.
    pub(crate) fn blamed(&self, partition: &str, most: usize) -> Vec<(i32, String)> {
        let mut blamed = Vec::new();
        self.each(|index, wrong| {
            if blamed.len() < most {
                blamed.push((index, self.words(index, wrong, partition)));
            }
        });
        blamed
    }

    fn each(&self, mut tell: impl FnMut(i32, Wrong)) {
        // It has been read before.
        let content = self.batch.content().unwrap_or_default();
        for (index, record) in (0..).zip(records(&content)) {
            if let Some(wrong) = self.rules.wrong(&self.batch, &record, self.now) {
                tell(index, wrong);
            }
        }
    }

    fn words(&self, index: i32, wrong: Wrong, partition: &str) -> String {
        match wrong {
            Wrong::NoKey => format!(
                "Compacted topic cannot accept message without key in topic partition {partition}"
            ),
            Wrong::Time(time) => format!(
                "Timestamp {time} of message with offset {index} is out of range. The timestamp should be within \
                 [{}, {}]",
                self.now.saturating_sub(self.rules.before),
                self.now.saturating_add(self.rules.after)
            ),
        }
    }
}

impl Admission {
    fn wrong(&self, batch: &Batch, record: &Record<'_>, now: Millis) -> Option<Wrong> {
        if self.keyed && record.key.is_none() {
            return Some(Wrong::NoKey);
        }
        let time = batch.time_of(record);
        let early = time != NO_TIME && now.saturating_sub(time) > self.before;
        let late = time.saturating_sub(now) > self.after;
        (!self.stamp && (early || late)).then_some(Wrong::Time(time))
    }
}
