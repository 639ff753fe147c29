//! Nodes and the edges between them.

use super::{Context, Outcome, Record};
use std::sync::Arc;

/// A node's input. By `&self`: the node is shared by every task, and what changes lives in the [`Context`].
pub(crate) trait Process<K: ?Sized, V: ?Sized>: Send + Sync {
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome;
}

/// An edge. `Box` and not `Arc`: an `Arc<dyn ..>` looks the place of its data up at every call.
pub(crate) type Next<K, V> = Box<dyn Process<K, V>>;

/// The edge to a node that has several parents.
pub(crate) struct Shared<K: ?Sized, V: ?Sized>(pub(crate) Arc<Next<K, V>>);

impl<K: ?Sized, V: ?Sized> Process<K, V> for Shared<K, V> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        self.0.process(cx, record)
    }
}

/// The edges of an outlet with several children: each gets the same record, in the order in which they were added.
pub(crate) struct FanOut<K: ?Sized, V: ?Sized>(pub(crate) Box<[Next<K, V>]>);

impl<K: ?Sized, V: ?Sized> Process<K, V> for FanOut<K, V> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        self.0.iter().try_for_each(|next| next.process(cx, record))
    }
}

/// The edge of an outlet without children.
pub(crate) struct Discard;

impl<K: ?Sized, V: ?Sized> Process<K, V> for Discard {
    #[inline]
    fn process(&self, _: &mut Context, _: Record<'_, K, V>) -> Outcome {
        Ok(())
    }
}
