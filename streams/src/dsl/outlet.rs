//! A node's output while the graph is drafted: typed, so that linking needs no cast.

use crate::processor::{Discard, FanOut, Next, Shared};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What a child gives its parent's outlet: how to make it, and with it all that follows.
pub(crate) type Link<K, V> = Box<dyn FnOnce() -> Next<K, V>>;

pub(crate) struct Outlet<K: ?Sized, V: ?Sized> {
    children: RefCell<Vec<Link<K, V>>>,
    shared: RefCell<Option<Arc<Next<K, V>>>>,
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Outlet<K, V> {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            children: RefCell::default(),
            shared: RefCell::new(None),
        })
    }

    pub(crate) fn add(&self, child: Link<K, V>) {
        self.children.borrow_mut().push(child);
    }

    /// Makes the children: for a node with one parent, which asks once.
    pub(crate) fn link(&self) -> Next<K, V> {
        let links = self.children.take();
        let mut children: Vec<Next<K, V>> = links.into_iter().map(|link| link()).collect();
        match children.pop() {
            None => Box::new(Discard),
            Some(only) if children.is_empty() => only,
            Some(last) => {
                children.push(last);
                Box::new(FanOut(children.into_boxed_slice()))
            }
        }
    }

    /// Makes the children once, however many parents ask: for a merge.
    pub(crate) fn link_shared(&self) -> Next<K, V> {
        let known = self.shared.borrow().clone();
        let shared = known.unwrap_or_else(|| Arc::new(self.link()));
        *self.shared.borrow_mut() = Some(shared.clone());
        Box::new(Shared(shared))
    }
}
