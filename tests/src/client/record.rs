//! Records as a reader gets them.

use rdkafka::message::{BorrowedMessage, Headers, Message};

/// Which records a reader gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions, and those without a transaction.
    Committed,
    /// All.
    Uncommitted,
}

impl Isolation {
    pub(super) fn level(self) -> &'static str {
        match self {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        }
    }
}

/// A record as a consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRecord {
    /// The partition that it is in.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key, if not null.
    pub key: Option<Vec<u8>>,
    /// Its value, if not null.
    pub value: Option<Vec<u8>>,
    /// In milliseconds since 1970.
    pub timestamp: i64,
    /// In the order in which they were written; a name may repeat.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl ReadRecord {
    /// Its value as text; empty when it is null.
    ///
    /// # Panics
    ///
    /// When it isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).expect("a value in UTF-8")
    }

    pub(super) fn of(message: &BorrowedMessage<'_>) -> ReadRecord {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        });
        ReadRecord {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            headers,
        }
    }
}
