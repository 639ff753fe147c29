//! What a processor is connected with.

use crate::state::StoreId;
use crate::topology::{NodeId, TopologyBuilder};
use std::panic::Location;

/// What a processor can be connected with: a store ([`TopologyBuilder::store`]), a further output
/// ([`TopologyBuilder::child`]), or a tuple of them. Its supplier gets a handle for each, and there is no other way to come
/// by one: a processor that uses a store which it is not connected with does not compile.
#[diagnostic::on_unimplemented(
    message = "a processor cannot be connected with `{Self}`",
    label = "neither a store, a child, nor a tuple of them",
    note = "connect `&store` of `builder.store(..)`, `&child` of `builder.child()`, or a tuple of up to six of them"
)]
pub trait Connect {
    /// What the supplier gets.
    type Connected: Clone + Send + Sync + 'static;

    /// Makes the connection.
    #[doc(hidden)]
    fn connect(&self, to: &Connecting<'_>) -> Self::Connected;
}

/// A processor that is being connected.
pub struct Connecting<'b> {
    pub(crate) builder: &'b TopologyBuilder,
    pub(crate) node: NodeId,
    pub(crate) at: &'static Location<'static>,
}

impl Connecting<'_> {
    pub(crate) fn store(&self, of: &TopologyBuilder, store: StoreId) {
        match of.is_same_as(self.builder) {
            true => self.builder.connect_store(self.node, store),
            false => self.foreign("store"),
        }
    }

    pub(crate) fn child(&self, of: &TopologyBuilder, child: NodeId) {
        match of.is_same_as(self.builder) {
            true => self.builder.add_parent(child, self.node),
            false => self.foreign("child"),
        }
    }

    fn foreign(&self, what: &str) {
        self.builder.add_error(format!(
            "{}: the {what} belongs to another `TopologyBuilder`; make it with the one that the stream comes from",
            self.at
        ));
    }
}

impl Connect for () {
    type Connected = ();

    fn connect(&self, _: &Connecting<'_>) {}
}

macro_rules! connect_tuples {
    ($($($part:ident)+;)+) => {
        $(impl<$($part: Connect),+> Connect for ($($part,)+) {
            type Connected = ($($part::Connected,)+);

            fn connect(&self, to: &Connecting<'_>) -> Self::Connected {
                #[expect(non_snake_case, reason = "the names of the types")]
                let ($($part,)+) = self;
                ($($part.connect(to),)+)
            }
        })+
    };
}

connect_tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}
