//! What runs.
//!
//! A topology is linked once into immutable nodes, shared by all tasks and threads. A record goes through them by
//! reference, from its [`Source`] along the edges ([`Next`]); everything that changes is in the task's [`Context`].
//! Nothing here knows Kafka's client or an async runtime: a stream thread and the test driver run the same [`Task`].

mod api;
mod context;
mod edge;
mod error_policy;
mod failure;
mod fixed_key;
mod headers;
mod record;
mod source;
mod staged;
mod task;

pub use api::{Processor, ProcessorContext};
pub use failure::{ErrorClass, Failure, Outcome};
pub use fixed_key::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
pub use headers::Headers;
pub use record::{Record, RecordMetadata};

pub(crate) use api::ProcessorNode;
pub(crate) use context::Context;
pub(crate) use edge::{Discard, FanOut, Next, Process, Shared};
pub(crate) use error_policy::{Decision, Location, decide};
pub(crate) use fixed_key::FixedKeyNode;
pub(crate) use source::{Source, TypedSource};
pub(crate) use staged::{Staged, StagedRecord};
pub(crate) use task::{InputRecord, SourceId, Task, TaskId};
