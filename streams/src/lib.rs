//! Stream processing on Apache Kafka, exactly once: annotate a function, get a job.
//!
//! A function annotated with `#[topology]` is checked while it compiles and becomes a typed stream graph, a [`Topology`]:
//! a value that can be described, tested without a broker ([`testing::TopologyTestDriver`]) and run. The same graph can be
//! built by hand with a [`TopologyBuilder`].

// What `#[topology]` and `#[derive(Json)]` expand to names this crate, also inside of it.
extern crate self as streams;

#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
mod dsl;
mod error;
pub(crate) mod kafka;
mod operators;
mod processor;
pub mod runtime;
pub mod serde;
pub mod testing;
mod topology;

pub use config::{ErrorPolicy, Guarantee, JobConfig, OffsetReset, OnError};
pub use dsl::{IntoSink, KStream, sink};
pub use error::{Error, Result};
pub use operators::{Emitter, Split, ValueEmitter};
pub use processor::{
    ErrorClass, Failure, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Headers, Outcome,
    Processor, ProcessorContext, Record, RecordMetadata,
};
pub use serde::{By, ByType, Json, Keyless};
pub use streams_macros::{Json, topology};
pub use streams_rules as rules;
pub use topology::{Description, NameScope, Topology, TopologyBuilder};

/// What nearly every job needs.
pub mod prelude {
    pub use crate::config::{ErrorPolicy, Guarantee, OffsetReset};
    pub use crate::dsl::KStream;
    pub use crate::processor::{
        FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Headers, Outcome, Processor,
        ProcessorContext, Record,
    };
    pub use crate::serde::{By, ByType, HasSerde, Json, Keyless, Serde};
    pub use crate::testing::TopologyTestDriver;
    pub use crate::topology::{Topology, TopologyBuilder};
    pub use streams_macros::{Json, topology};
}
