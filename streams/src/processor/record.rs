//! A record on its way through the graph.

use super::{Failure, Headers, Outcome};

/// A record on an edge: borrowed, so that passing it on costs nothing and fan-out clones nothing.
#[derive(Debug)]
pub struct Record<'r, K: ?Sized, V: ?Sized> {
    /// Its key.
    pub key: &'r K,
    /// Its value.
    pub value: &'r V,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Its headers.
    pub headers: &'r Headers,
}

impl<K: ?Sized, V: ?Sized> Clone for Record<'_, K, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized, V: ?Sized> Copy for Record<'_, K, V> {}

impl<'r, K: ?Sized, V: ?Sized> Record<'r, K, V> {
    /// A record without headers, at this time in milliseconds since the epoch.
    #[inline]
    pub fn new(key: &'r K, value: &'r V, timestamp: i64) -> Self {
        Self {
            key,
            value,
            timestamp,
            headers: Headers::EMPTY,
        }
    }

    /// The same record under another key.
    #[inline]
    #[must_use]
    pub fn with_key<'s, K2: ?Sized>(self, key: &'s K2) -> Record<'s, K2, V>
    where
        'r: 's,
    {
        Record {
            key,
            value: self.value,
            timestamp: self.timestamp,
            headers: self.headers,
        }
    }

    /// The same record with another value.
    #[inline]
    #[must_use]
    pub fn with_value<'s, V2: ?Sized>(self, value: &'s V2) -> Record<'s, K, V2>
    where
        'r: 's,
    {
        Record {
            key: self.key,
            value,
            timestamp: self.timestamp,
            headers: self.headers,
        }
    }

    /// The same record at another time, in milliseconds since the epoch.
    #[inline]
    #[must_use]
    pub fn with_timestamp(self, timestamp: i64) -> Self {
        Record { timestamp, ..self }
    }

    /// The record, unless its time is none: Kafka's begin in 1970.
    #[inline]
    pub(super) fn with_valid_time(self) -> Outcome<Self> {
        match self.timestamp {
            0.. => Ok(self),
            before => Err(Failure::new(format!(
                "a record cannot be forwarded with the timestamp {before}: it counts milliseconds since 1970, and is not \
                 negative"
            ))
            .into()),
        }
    }

    /// The same record with other headers.
    #[inline]
    #[must_use]
    pub fn with_headers<'s>(self, headers: &'s Headers) -> Record<'s, K, V>
    where
        'r: 's,
    {
        Record {
            key: self.key,
            value: self.value,
            timestamp: self.timestamp,
            headers,
        }
    }
}

/// Where the record that is being processed was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMetadata<'c> {
    /// The topic.
    pub topic: &'c str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}
