//! What can be joined, and aggregated together, by key.

use super::KTable;
use crate::serde::{HasSerde, MaybeNull, Serde};

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

/// `K` itself, or `Option<K>`: a key of the type `K`, which may be null. Streams that are aggregated together have such keys, and
/// so has what is looked up in a global table: records meet where their keys are the same bytes, so the types have to be the same.
#[diagnostic::on_unimplemented(
    message = "a key of the type `{Self}` never meets one of the type `{K}`",
    label = "has keys of `{Self}`, where such of `{K}` are needed",
    note = "records meet where their keys are equal, so the types have to be the same: a stream is grouped by the key of the others with `.group_by(|key, value| ..)`, and what is looked up in a global table is a key of that table"
)]
pub trait KeyOf<K: ?Sized>: MaybeNull<Present = K> {}

#[diagnostic::do_not_recommend]
impl<K: HasSerde + ?Sized + 'static> KeyOf<K> for K {}

#[diagnostic::do_not_recommend]
impl<K: HasSerde<Serde: Serde<K>> + 'static> KeyOf<K> for Option<K> {}
