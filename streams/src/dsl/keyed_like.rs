//! What can be joined by key.

use super::KTable;

/// A table whose keys are of the type `K`: what a stream or a table with such keys can be joined with. Records meet where
/// their keys are the same bytes, so the types have to be the same.
#[diagnostic::on_unimplemented(
    message = "what is keyed by `{K}` cannot be joined with a `{Self}`",
    label = "not a `KTable` keyed by `{K}`",
    note = "a stream becomes a table with `.to_table()`; a global table is joined with `.join_global(&table, |key, value| .., |value, row| ..)`",
    note = "records meet where their keys are equal: bring one side to the key of the other, a stream with `.select_key(..)`, a table with `.to_stream().select_key(..).to_table()`"
)]
pub trait KeyedLike<K: ?Sized> {
    /// The type of its values.
    type Row: 'static;

    /// The table.
    #[doc(hidden)]
    fn as_table(&self) -> &KTable<K, Self::Row>;
}

impl<K: ?Sized, V: 'static> KeyedLike<K> for KTable<K, V> {
    type Row = V;

    fn as_table(&self) -> &KTable<K, V> {
        self
    }
}
