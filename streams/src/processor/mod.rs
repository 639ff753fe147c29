//! What runs.
//!
//! A topology is linked once into immutable nodes, shared by all tasks and threads. A record goes through them by
//! reference, from its [`Source`] along the edges ([`Next`]); everything that changes is in the task's [`Context`].
//! Nothing here knows Kafka's client or an async runtime: a stream thread and the test driver run the same [`Task`].

mod api;
mod change;
mod change_serde;
mod child;
mod connect;
mod context;
mod edge;
mod error_policy;
mod failure;
mod fixed_key;
mod forwarding;
mod global;
mod headers;
mod init;
mod kept_table;
mod lifecycle;
mod partitioner;
mod punctuation;
mod record;
mod record_cache;
mod released;
mod results;
mod source;
mod staged;
mod task;

pub use api::{Processor, ProcessorContext};
pub use child::{Child, ChildStream};
pub use connect::Connect;
pub use failure::{ErrorClass, Failure, Outcome};
pub use fixed_key::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
pub use headers::Headers;
pub use init::{FixedKeyInitContext, FixedKeyPunctuator, InitContext, Punctuator};
pub use punctuation::{PunctuationType, PunctuatorId, Schedule};
pub use record::{Record, RecordMetadata};

pub(crate) use api::ProcessorNode;
pub(crate) use change::{Change, TableRecord};
pub(crate) use change_serde::ChangeSerde;
pub(crate) use connect::Connecting;
pub(crate) use context::Context;
pub(crate) use edge::{Edge, Next, NextChange, Process, ProcessChange};
pub(crate) use error_policy::{Decision, Location, decide, decide_punctuation};
pub(crate) use fixed_key::FixedKeyNode;
pub(crate) use forwarding::Forwarding;
pub(crate) use global::{GlobalReader, TypedGlobalReader, process_global};
pub(crate) use kept_table::{KeptTable, Update, later_of};
pub(crate) use lifecycle::{Instance, Lifecycle, ProcessorFailure, ProcessorSpec};
pub(crate) use partitioner::{StickyPartition, partition_for_key};
pub(crate) use punctuation::Schedules;
pub(crate) use record_cache::{Held, RecordCache};
pub(crate) use released::Released;
pub(crate) use results::Results;
pub(crate) use source::{HeaderUse, Source, TypedSource};
pub(crate) use staged::{Staged, StagedRecord};
pub(crate) use task::{InputRecord, SourceId, Task, TaskId};
