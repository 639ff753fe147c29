//! From where a store can be reached.

use crate::processor::{
    Context, FixedKeyContext, FixedKeyInitContext, InitContext, ProcessorContext,
};

/// A task as a store sees it: the context that a processor is given. Stores take it as their first argument, since an instance
/// of a processor belongs to one task, and the handle of a store to all of them.
#[diagnostic::on_unimplemented(
    message = "a store cannot be reached through `{Self}`",
    label = "not the context of a processor",
    note = "a store is read and written in `process`, `init` or a punctuator: pass the context, `cx`, that is given there"
)]
pub trait StoreContext: sealed::Sealed {}

pub(crate) mod sealed {
    use super::Context;

    /// The task behind a context.
    pub trait Sealed {
        fn task(&self) -> &Context;
        fn task_mut(&mut self) -> &mut Context;
    }
}

impl<K: ?Sized, V: ?Sized> StoreContext for ProcessorContext<'_, K, V> {}

impl<K: ?Sized, V: ?Sized> sealed::Sealed for ProcessorContext<'_, K, V> {
    #[inline]
    fn task(&self) -> &Context {
        self.as_task()
    }

    #[inline]
    fn task_mut(&mut self) -> &mut Context {
        self.as_task_mut()
    }
}

impl<K: ?Sized, V: ?Sized> StoreContext for FixedKeyContext<'_, K, V> {}

impl<K: ?Sized, V: ?Sized> sealed::Sealed for FixedKeyContext<'_, K, V> {
    #[inline]
    fn task(&self) -> &Context {
        self.as_task()
    }

    #[inline]
    fn task_mut(&mut self) -> &mut Context {
        self.as_task_mut()
    }
}

impl<P, K: ?Sized, V: ?Sized> StoreContext for InitContext<'_, P, K, V> {}

impl<P, K: ?Sized, V: ?Sized> sealed::Sealed for InitContext<'_, P, K, V> {
    #[inline]
    fn task(&self) -> &Context {
        self.as_task()
    }

    #[inline]
    fn task_mut(&mut self) -> &mut Context {
        self.as_task_mut()
    }
}

impl<P, K: ?Sized, V: ?Sized> StoreContext for FixedKeyInitContext<'_, P, K, V> {}

impl<P, K: ?Sized, V: ?Sized> sealed::Sealed for FixedKeyInitContext<'_, P, K, V> {
    #[inline]
    fn task(&self) -> &Context {
        self.as_task()
    }

    #[inline]
    fn task_mut(&mut self) -> &mut Context {
        self.as_task_mut()
    }
}

impl StoreContext for Context {}

impl sealed::Sealed for Context {
    #[inline]
    fn task(&self) -> &Context {
        self
    }

    #[inline]
    fn task_mut(&mut self) -> &mut Context {
        self
    }
}
