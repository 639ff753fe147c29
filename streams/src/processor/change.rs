//! An update of a table on its way through the graph.

use super::{Headers, Record};

/// What an update changes: `None` is a row that is not there.
#[derive(Debug)]
pub(crate) struct Change<'r, V> {
    pub(crate) new: Option<&'r V>,
    /// What was there before. Always `None` where nobody behind the table has asked for old values
    /// (`org.apache.kafka.streams.kstream.internals.KTableImpl#enableSendingOldValues`).
    pub(crate) old: Option<&'r V>,
    /// Whether it is the newest version of its key: an update that comes late to a versioned table is not.
    pub(crate) is_latest: bool,
}

impl<V> Clone for Change<'_, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Change<'_, V> {}

/// An update on an edge behind a table: borrowed, as a [`Record`] is.
#[derive(Debug)]
pub(crate) struct TableRecord<'r, K: ?Sized, V> {
    pub(crate) key: &'r K,
    pub(crate) change: Change<'r, V>,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) headers: &'r Headers,
}

impl<K: ?Sized, V> Clone for TableRecord<'_, K, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized, V> Copy for TableRecord<'_, K, V> {}

impl<'r, K: ?Sized, V> TableRecord<'r, K, V> {
    /// The same update with other values.
    #[inline]
    pub(crate) fn with_change<'s, V2>(self, change: Change<'s, V2>) -> TableRecord<'s, K, V2>
    where
        'r: 's,
    {
        TableRecord {
            key: self.key,
            change,
            timestamp: self.timestamp,
            headers: self.headers,
        }
    }

    /// The same update at another time, in milliseconds since the epoch.
    #[inline]
    pub(crate) fn with_timestamp(self, timestamp: i64) -> Self {
        TableRecord { timestamp, ..self }
    }

    /// The update as a record of a stream, with this value.
    #[inline]
    pub(crate) fn into_record<'s, V2: ?Sized>(self, value: &'s V2) -> Record<'s, K, V2>
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
}
