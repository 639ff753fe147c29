//! The handles that a user holds while a topology is drafted. Their operators are in [`operators`](crate::operators), one
//! file each. Handles build the graph and run nothing.

mod kstream;
mod outlet;
mod sink;

pub use kstream::KStream;
pub use sink::{IntoSink, sink};

pub(crate) use outlet::{Link, Outlet};
