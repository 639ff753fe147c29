//! What becomes of an update that a table's operator has computed.

use super::{
    Change, Context, Failure, KeptTable, NextChange, Outcome, ProcessChange, TableRecord, Update,
};
use std::sync::Arc;

/// The results of an operator whose table is kept only where the user says so.
pub(crate) enum Results<K: ?Sized, V> {
    /// Sent on as they are.
    Passed {
        /// Whether somebody behind the table has asked for old values.
        sends_old_values: bool,
        next: NextChange<K, V>,
    },
    /// Written to the store, and sent on.
    Kept(Arc<KeptTable<K, V>>),
}

impl<K: ?Sized, V> Results<K, V> {
    pub(crate) fn are_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    /// The row as it is kept, where old values are sent.
    pub(crate) fn kept(&self, cx: &mut Context, key: &K) -> Result<Option<V>, Box<Failure>> {
        match self {
            Self::Kept(table) if table.sends_old_values => self.row(cx, key),
            Self::Kept(_) | Self::Passed { .. } => Ok(None),
        }
    }

    /// The row as it is kept.
    pub(crate) fn row(&self, cx: &mut Context, key: &K) -> Result<Option<V>, Box<Failure>> {
        match self {
            Self::Kept(table) => {
                let kept = table.get(cx, key)?;
                Ok(kept.map(|kept| kept.value))
            }
            Self::Passed { .. } => Ok(None),
        }
    }
}

impl<K: ?Sized, V> ProcessChange<K, V> for Results<K, V> {
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        let change = record.change;
        match self {
            Self::Passed {
                sends_old_values,
                next,
            } => {
                let old = change.old.filter(|_| *sends_old_values);
                next.process(cx, record.with_change(Change { old, ..change }))
            }
            Self::Kept(table) => {
                let update = Update {
                    key: record.key,
                    new: change.new,
                    timestamp: record.timestamp,
                    record_timestamp: record.timestamp,
                    headers: record.headers,
                };
                table.update(cx, update, change.old)
            }
        }
    }
}
