//! Records that a test pipes in or reads.

use crate::processor::Headers;

/// A record that a test pipes in or reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRecord<K, V> {
    /// Its key.
    pub key: K,
    /// Its value.
    pub value: V,
    /// Milliseconds since the epoch. What is piped in without one gets the driver's wall-clock time.
    pub timestamp: Option<i64>,
    /// Its headers.
    pub headers: Headers,
}

/// A record as bytes.
pub type RawRecord = TestRecord<Option<Vec<u8>>, Option<Vec<u8>>>;

impl<K, V> TestRecord<K, V> {
    /// A record without headers, at the time when it is piped in.
    pub fn new(key: K, value: V) -> Self {
        Self {
            key,
            value,
            timestamp: None,
            headers: Headers::default(),
        }
    }

    /// The same record at this time, in milliseconds since the epoch.
    #[must_use]
    pub fn at(self, timestamp: i64) -> Self {
        Self {
            timestamp: Some(timestamp),
            ..self
        }
    }

    /// The same record with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, Some(value.as_ref()));
        self
    }
}
