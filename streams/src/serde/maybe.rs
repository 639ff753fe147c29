//! Types that are never null, and types that may be.

use super::{HasSerde, Serde, TopicKey, TopicValue};

/// A key or value of records that are grouped, joined, repartitioned or kept in a table, which have a rule for nulls: it may be
/// null, or is of a type that never is. Implemented for every type with a serde, and for an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key or value of what is grouped, joined or kept in a table",
    label = "has no bytes to be compared or kept by",
    note = "a stream of `Keyless` records has no key: give it one with `.select_key(|_, value| ..)` first",
    note = "a type of your own says once how it is written: `#[derive(Json)]` on the type, or `impl HasSerde`; one that is not your own, such as `bool` or a tuple, goes into a struct of yours, to derive on that"
)]
pub trait MaybeNull: TopicKey + TopicValue {
    /// The type of what is there.
    type Present: HasSerde + ?Sized + 'static;

    /// What is there, if it is not a null.
    fn present(&self) -> Option<&Self::Present>;
}

#[diagnostic::do_not_recommend]
impl<T: HasSerde + ?Sized + 'static> MaybeNull for T {
    type Present = T;

    #[inline]
    fn present(&self) -> Option<&T> {
        Some(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: HasSerde<Serde: Serde<T>> + 'static> MaybeNull for Option<T> {
    type Present = T;

    #[inline]
    fn present(&self) -> Option<&T> {
        self.as_ref()
    }
}
