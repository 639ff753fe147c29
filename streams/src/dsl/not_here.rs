//! Operators that are looked for on a handle that has none of them, so that rustc says what to write instead: by itself it
//! says that there is no such method, or proposes one that has a similar name.

use super::{KStream, KTable};

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
