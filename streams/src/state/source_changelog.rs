//! The topic of a source table as the changelog of its store.

use crate::serde::{Deserializer, Serde, SerdeError, Serializer, Written};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A topic that a store is restored from, though the job does not write it.
#[derive(Clone)]
pub(crate) struct SourceChangelog {
    pub(crate) topic: String,
    pub(crate) rows: Arc<dyn SourceRows>,
}

impl fmt::Debug for SourceChangelog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.topic)
    }
}

/// The bytes of a row, as a store has them.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Makes rows of a topic's records, just as the table's source does. Their bytes need not be the records': one value may be
/// written in several ways, as in JSON.
pub(crate) trait SourceRows: Send + Sync {
    /// Makes the row of a record, in place of another one; a null is a removal. A record that cannot be read is none of the
    /// table.
    fn read(&self, key: &[u8], value: Option<&[u8]>, row: &mut Row) -> Result<Written, SerdeError>;
}

/// By the serdes of the table.
pub(crate) struct TypedSourceRows<K: ?Sized, V, KS> {
    pub(crate) key: Arc<KS>,
    pub(crate) value: Arc<dyn Serde<V>>,
    pub(crate) of: PhantomData<fn(&K)>,
}

impl<K: ?Sized, V, KS: Deserializer<K> + Serializer<K>> SourceRows for TypedSourceRows<K, V, KS> {
    fn read(&self, key: &[u8], value: Option<&[u8]>, row: &mut Row) -> Result<Written, SerdeError> {
        row.key.clear();
        row.value.clear();
        self.key
            .read(Some(key), |key| self.key.write(key, &mut row.key))??;
        match value {
            Some(bytes) => {
                let value = self.value.deserialize(bytes)?;
                self.value.serialize_nullable(&value, &mut row.value)
            }
            None => Ok(Written::Null),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::serde::Json;

    #[test]
    fn a_row_is_as_the_table_would_write_it_and_not_as_the_record_was() {
        let rows = TypedSourceRows::<Vec<u32>, Vec<u32>, Json> {
            key: Arc::new(Json),
            value: Arc::new(Json),
            of: PhantomData,
        };
        let mut row = Row::default();
        let written = rows.read(b"[ 1, 2 ]", Some(b"[3 ]"), &mut row).unwrap();
        assert_eq!(written, Written::Bytes);
        assert_eq!((&*row.key, &*row.value), (&b"[1,2]"[..], &b"[3]"[..]));
        assert_eq!(rows.read(b"[1]", None, &mut row).unwrap(), Written::Null);
        assert_eq!(row.key, b"[1]");
        assert!(rows.read(b"one", None, &mut row).is_err());
        assert!(rows.read(b"[1]", Some(b"three"), &mut row).is_err());
    }
}
