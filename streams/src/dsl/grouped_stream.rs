//! A stream whose records are taken together by key.

use super::{KStream, KTable};
use crate::operators::NullKeys;
use crate::processor::{KeptTable, Process};
use crate::serde::{HasSerde, MaybeNull, Serde};
use crate::state::Serdes;
use std::sync::Arc;

/// The records of a stream by key, as [`KStream::group_by_key`] and [`KStream::group_by`] make it: ready to be counted,
/// reduced or aggregated.
///
/// A record with a null key belongs to no group and is dropped; so is one with a null value.
#[must_use = "a grouping without an aggregation does nothing"]
pub struct KGroupedStream<K: ?Sized, V: ?Sized> {
    stream: KStream<K, V>,
}

impl<K: ?Sized, V: ?Sized> Clone for KGroupedStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
        }
    }
}

impl<K: MaybeNull + ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KGroupedStream<K, V> {
    pub(crate) fn new(stream: KStream<K, V>) -> Self {
        Self { stream }
    }

    pub(crate) fn stream(&self) -> &KStream<K, V> {
        &self.stream
    }

    /// Adds an aggregation into a store of its own, behind a repartition topic where the key may have changed.
    #[track_caller]
    pub(crate) fn aggregation<A, P>(
        &self,
        operator: &'static str,
        make: impl FnOnce(Arc<KeptTable<K::Present, A>>) -> P + 'static,
    ) -> KTable<K::Present, A>
    where
        A: HasSerde<Serde: Serde<A>> + 'static,
        P: Process<K, V> + 'static,
    {
        let (stream, node) = self.stream.by_key(operator, NullKeys::Drop);
        let (table, draft) = KTable::kept(node, stream.builder(), Serdes::by_type());
        stream
            .outlet()
            .add(Box::new(move || Box::new(make(draft.link()))));
        table
    }
}
