//! A node's output while the graph is drafted: typed, so that linking needs no cast.

use crate::processor::Edge;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What a child gives its parent's outlet: how to make it, and with it all that follows.
pub(crate) type Link<E> = Box<dyn FnOnce() -> E>;

/// An output of records (`E` is a [`Next`](crate::processor::Next)) or of a table's changes (a
/// [`NextChange`](crate::processor::NextChange)).
pub(crate) struct Outlet<E> {
    children: RefCell<Vec<Link<E>>>,
    shared: RefCell<Option<Arc<E>>>,
}

impl<E: Edge> Outlet<E> {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            children: RefCell::default(),
            shared: RefCell::new(None),
        })
    }

    pub(crate) fn add(&self, child: Link<E>) {
        self.children.borrow_mut().push(child);
    }

    /// Makes the children: for a node with one parent, which asks once.
    pub(crate) fn link(&self) -> E {
        let links = self.children.take();
        let mut children: Vec<E> = links.into_iter().map(|link| link()).collect();
        match children.pop() {
            None => E::discard(),
            Some(only) if children.is_empty() => only,
            Some(last) => {
                children.push(last);
                E::fan_out(children.into_boxed_slice())
            }
        }
    }

    /// Makes the children once, however many parents ask: for a node with several inputs.
    pub(crate) fn link_shared(&self) -> E {
        let known = self.shared.borrow().clone();
        let shared = known.unwrap_or_else(|| Arc::new(self.link()));
        *self.shared.borrow_mut() = Some(shared.clone());
        E::share(shared)
    }
}
