//! Operators and methods that are looked for where there are none of them, so that rustc says what to write instead: by itself it
//! says that there is no such method, or proposes one that has a similar name.

use super::{GlobalKTable, KGroupedStream, KStream, KTable};
use crate::processor::{FixedKeyInitContext, FixedKeyRecord, InitContext, Outcome, Record};

/// What has the operators of a stream. A table has not, and nothing else asks.
#[diagnostic::on_unimplemented(
    message = "this is an operator of streams, and `{Self}` is a table",
    label = "write `.to_stream()` before it",
    note = "`.to_stream()` makes a stream of the table's updates, with a null where a row was removed; a topology function may also return the table itself, one for each `#[sink]`"
)]
#[doc(hidden)]
pub trait IsStream {
    fn never<R>(&self) -> R;
}

/// What has the operators of a grouped stream. A stream has not, and nothing else asks.
#[diagnostic::on_unimplemented(
    message = "this is an operator of grouped streams, and `{Self}` is not grouped",
    label = "write `.group_by_key()` before it, or `.group_by(|key, value| ..)`",
    note = "records are aggregated by key: those with equal keys are taken together first"
)]
#[doc(hidden)]
pub trait IsGrouped {
    fn never<R>(&self) -> R;
}

/// What has the operators of a table. A global table has not, and nothing else asks.
#[diagnostic::on_unimplemented(
    message = "this is an operator of tables and streams, and `{Self}` can only be joined",
    label = "a global table has no such operator",
    note = "a stream is joined with it, by `.join_global(&table, |key, value| .., |value, row| ..)`: filter or change the rows there, or what comes of the join",
    note = "or have a `KTable` of the topic, `#[table(..)]`, which has the operators of a table"
)]
#[doc(hidden)]
pub trait IsTable {
    fn never<R>(&self) -> R;
}

/// What can be grouped by window. Nothing can.
#[diagnostic::on_unimplemented(
    message = "there are no windowed aggregations in this library",
    label = "a grouped stream has `count`, `reduce`, `aggregate` and `cogroup`, over all of time",
    note = "a processor with a store of windows does their work: `builder.store(Stores::window::<K, V>(name, retention, size))`, and `.process_with(&store, ..)` on the stream"
)]
#[doc(hidden)]
pub trait HasWindows {
    fn never<R>(&self) -> R;
}

/// What records can be forwarded through. The context of an `init` is not, and nothing else asks.
#[diagnostic::on_unimplemented(
    message = "nothing can be forwarded in `init`",
    label = "`init` comes before the first record; it schedules punctuators, and reads and writes stores",
    note = "a processor forwards in `process`, a `Processor` also in a punctuator: `cx.schedule(interval, clock, Self::punctuate)` with `fn punctuate(&mut self, time: i64, cx: &mut ProcessorContext<'_, ..>) -> Outcome`"
)]
#[doc(hidden)]
pub trait CanForward {
    fn never<R>(&self) -> R;
}

#[doc(hidden)]
impl<K: ?Sized, V> KTable<K, V> {
    pub fn to(&self, _: &str)
    where
        Self: IsStream,
    {
        self.never()
    }

    pub fn select_key<K2>(&self, _: impl Fn(&K, &V) -> K2) -> KStream<K2, V>
    where
        Self: IsStream,
    {
        self.never()
    }

    pub fn map<K2, V2>(&self, _: impl Fn(&K, &V) -> (K2, V2)) -> KStream<K2, V2>
    where
        Self: IsStream,
    {
        self.never()
    }

    pub fn for_each(&self, _: impl Fn(&K, &V))
    where
        Self: IsStream,
    {
        self.never()
    }
}

#[doc(hidden)]
impl<K: ?Sized, V: ?Sized> KStream<K, V> {
    pub fn count(&self) -> KTable<K, i64>
    where
        Self: IsGrouped,
    {
        self.never()
    }

    pub fn reduce(&self, _: impl Fn(&V, &V) -> V) -> KTable<K, V>
    where
        Self: IsGrouped,
        V: Sized,
    {
        self.never()
    }

    pub fn aggregate<A>(&self, _: impl Fn() -> A, _: impl Fn(&K, &V, A) -> A) -> KTable<K, A>
    where
        Self: IsGrouped,
    {
        self.never()
    }
}

#[doc(hidden)]
impl<K: ?Sized, V> GlobalKTable<K, V> {
    pub fn filter(&self, _: impl Fn(&K, &V) -> bool) -> Self
    where
        Self: IsTable,
    {
        self.never()
    }

    pub fn filter_not(&self, _: impl Fn(&K, &V) -> bool) -> Self
    where
        Self: IsTable,
    {
        self.never()
    }

    pub fn map_values<V2>(&self, _: impl Fn(&V) -> V2) -> GlobalKTable<K, V2>
    where
        Self: IsTable,
    {
        self.never()
    }

    pub fn to_stream(&self) -> KStream<K, Option<V>>
    where
        Self: IsTable,
    {
        self.never()
    }
}

#[doc(hidden)]
impl<K: ?Sized, V: ?Sized> KGroupedStream<K, V> {
    pub fn windowed_by<W>(&self, _: W) -> Self
    where
        Self: HasWindows,
    {
        self.never()
    }
}

#[doc(hidden)]
impl<P, K: ?Sized, V: ?Sized> InitContext<'_, P, K, V> {
    pub fn forward(&mut self, _: Record<'_, K, V>) -> Outcome
    where
        Self: CanForward,
    {
        self.never()
    }
}

#[doc(hidden)]
impl<P, K: ?Sized, V: ?Sized> FixedKeyInitContext<'_, P, K, V> {
    pub fn forward(&mut self, _: FixedKeyRecord<'_, K, V>) -> Outcome
    where
        Self: CanForward,
    {
        self.never()
    }
}
