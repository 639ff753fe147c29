//! What a task keeps.
//!
//! A [`Store`] is a map of bytes to bytes in the order of its keys. It is written through an [`Overlay`], which holds all
//! that is not committed yet: nothing uncommitted reaches what is [`Committed`] below it. A checkpoint writes the overlay
//! to the changelog, commits to Kafka, and only then applies the overlay, in one batch with the changelog's offset
//! ([`TaskState::apply`]); an abort drops it ([`TaskState::discard`]). Within the overlay, the writes of the record that is being processed can be undone
//! ([`TaskState::rollback`]), so a failed record leaves nothing behind.
//!
//! Typed views of a store ([`KeyValue`]) know its serdes. Nothing here knows Kafka's client or an async runtime.

mod access;
mod backends;
mod changelog;
mod committed;
mod declared;
mod disk;
mod entries;
mod entry_types;
mod error;
mod global;
mod key_value;
mod key_value_store;
mod memory;
mod merged;
mod origin;
mod overlay;
mod range;
mod restore_batch;
mod row_cache;
mod segments;
mod serdes;
mod session_store;
mod sharing;
mod source_changelog;
mod spec;
mod store;
mod table_store;
mod task_state;
mod time_buffer;
mod versioned_store;
mod versions;
mod window_store;
mod windowed;

pub use access::StoreContext;
pub(crate) use access::sealed::Sealed as SealedContext;
pub use declared::{StoreBuilder, StoreHandle, StoreView, Stores};
pub use key_value::ValueAndTimestamp;
pub use key_value_store::{KeyValueStore, KeyValues};
pub use session_store::{SessionStore, Sessions};
pub use versioned_store::{VersionedKeyValueStore, VersionedRecord};
pub use versions::PutVersion;
pub use window_store::{WindowStore, WindowValues, Windows};
pub use windowed::{Window, Windowed};

pub(crate) use backends::Backends;
pub(crate) use changelog::{ADDITIONAL_RETENTION_MS, REMOVALS_KEPT_MS};
pub(crate) use committed::{Committed, Entry, Kept, Reached, Residence, Scan, Value, Writes};
pub(crate) use disk::{Disk, Ingestion};
pub(crate) use entries::{Entries, KeyAndValue};
pub(crate) use entry_types::EntryTypes;
pub(crate) use error::StoreError;
pub(crate) use global::{GlobalId, GlobalState, GlobalStore, OwnedEntry};
pub(crate) use key_value::{KeyValue, Serdes};
pub(crate) use memory::Memory;
pub(crate) use origin::{Difference, Origin};
pub(crate) use overlay::Overlay;
pub(crate) use range::{KeyRange, Order};
pub(crate) use restore_batch::RestoreBatch;
pub(crate) use segments::Segments;
pub(crate) use serdes::StoreSerdes;
pub(crate) use source_changelog::{Row, SourceChangelog, TypedSourceRows};
pub(crate) use spec::{Owner, StoreId, StoreKind, StoreSpec};
pub(crate) use store::Store;
pub(crate) use table_store::{AsOf, TableStore, TableStoreDraft};
pub(crate) use task_state::TaskState;
pub(crate) use time_buffer::{Due, TimeBuffer};
pub(crate) use versions::{Versions, newest_of};
