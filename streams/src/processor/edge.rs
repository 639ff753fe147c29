//! Nodes and the edges between them.

use super::{Context, Outcome, Record, TableRecord};
use std::sync::Arc;

/// A node's input. By `&self`: the node is shared by every task, and what changes lives in the [`Context`].
pub(crate) trait Process<K: ?Sized, V: ?Sized>: Send + Sync {
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome;
}

/// The input of a node behind a table.
pub(crate) trait ProcessChange<K: ?Sized, V>: Send + Sync {
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome;
}

/// An edge. `Box` and not `Arc`: an `Arc<dyn ..>` looks the place of its data up at every call.
pub(crate) type Next<K, V> = Box<dyn Process<K, V>>;

/// An edge behind a table.
pub(crate) type NextChange<K, V> = Box<dyn ProcessChange<K, V>>;

/// What an outlet can make of the edges that are added to it.
pub(crate) trait Edge: Sized + 'static {
    /// Leads nowhere.
    fn discard() -> Self;

    /// Leads to each of these, in the order in which they were added.
    fn fan_out(children: Box<[Self]>) -> Self;

    /// One of several edges to the same node.
    fn share(node: Arc<Self>) -> Self;
}

struct Discard;
struct FanOut<E>(Box<[E]>);
struct Shared<E>(Arc<E>);

impl<K: ?Sized + 'static, V: ?Sized + 'static> Edge for Next<K, V> {
    fn discard() -> Self {
        Box::new(Discard)
    }

    fn fan_out(children: Box<[Self]>) -> Self {
        Box::new(FanOut(children))
    }

    fn share(node: Arc<Self>) -> Self {
        Box::new(Shared(node))
    }
}

impl<K: ?Sized + 'static, V: 'static> Edge for NextChange<K, V> {
    fn discard() -> Self {
        Box::new(Discard)
    }

    fn fan_out(children: Box<[Self]>) -> Self {
        Box::new(FanOut(children))
    }

    fn share(node: Arc<Self>) -> Self {
        Box::new(Shared(node))
    }
}

impl<K: ?Sized, V: ?Sized> Process<K, V> for Discard {
    #[inline]
    fn process(&self, _: &mut Context, _: Record<'_, K, V>) -> Outcome {
        Ok(())
    }
}

impl<K: ?Sized, V: ?Sized> Process<K, V> for FanOut<Next<K, V>> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        self.0.iter().try_for_each(|next| next.process(cx, record))
    }
}

impl<K: ?Sized, V: ?Sized> Process<K, V> for Shared<Next<K, V>> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        self.0.process(cx, record)
    }
}

impl<K: ?Sized, V> ProcessChange<K, V> for Discard {
    #[inline]
    fn process(&self, _: &mut Context, _: TableRecord<'_, K, V>) -> Outcome {
        Ok(())
    }
}

impl<K: ?Sized, V> ProcessChange<K, V> for FanOut<NextChange<K, V>> {
    #[inline]
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        self.0.iter().try_for_each(|next| next.process(cx, record))
    }
}

impl<K: ?Sized, V> ProcessChange<K, V> for Shared<NextChange<K, V>> {
    #[inline]
    fn process(&self, cx: &mut Context, record: TableRecord<'_, K, V>) -> Outcome {
        self.0.process(cx, record)
    }
}
