//! The handles that a user holds while a topology is drafted. Their operators are in [`operators`](crate::operators), one
//! file each. Handles build the graph and run nothing.

mod global_ktable;
mod grouped_stream;
mod grouped_table;
mod kept_draft;
mod keyed_like;
mod kstream;
mod ktable;
mod not_here;
mod outlet;
mod sink;
mod table_view;
mod together;

pub use global_ktable::GlobalKTable;
pub use grouped_stream::KGroupedStream;
pub use grouped_table::KGroupedTable;
pub use keyed_like::{KeyOf, KeyedLike};
pub use kstream::KStream;
pub use ktable::KTable;
pub use sink::{IntoSink, sink};

pub(crate) use global_ktable::GlobalRows;
pub(crate) use kept_draft::KeptDraft;
pub(crate) use kstream::Partitioning;
pub(crate) use outlet::{Link, Outlet};
pub(crate) use table_view::{
    ComputedFrom, ComputedView, Getter, StoredView, TableView, ValueGetter,
};
pub(crate) use together::BroughtTogether;
