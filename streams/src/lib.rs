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
mod fail_point;
pub(crate) mod kafka;
mod operators;
mod processor;
pub mod runtime;
pub mod serde;
mod state;
pub mod testing;
mod topology;

pub use config::{
    ErrorPolicy, Guarantee, JobConfig, OffsetReset, OnError, StateBackend, TopologyOptimization,
};
pub use dsl::{
    GlobalKTable, IntoSink, KGroupedStream, KGroupedTable, KStream, KTable, KeyOf, KeyedLike, sink,
};
pub use error::{Error, Result};
pub use operators::{CogroupedKStream, Emitter, Split, ValueEmitter};
pub use processor::{
    Child, ChildStream, Connect, ErrorClass, Failure, FixedKeyContext, FixedKeyInitContext,
    FixedKeyProcessor, FixedKeyPunctuator, FixedKeyRecord, Headers, InitContext, Outcome,
    Processor, ProcessorContext, PunctuationType, Punctuator, PunctuatorId, Record, RecordMetadata,
    Schedule,
};
pub use serde::{By, ByType, Json, Keyless};
pub use state::{
    KeyValueStore, KeyValues, PutVersion, SessionStore, Sessions, StoreBuilder, StoreContext,
    StoreHandle, StoreView, Stores, ValueAndTimestamp, VersionedKeyValueStore, VersionedRecord,
    Window, WindowStore, WindowValues, Windowed, Windows,
};
pub use streams_macros::{Json, topology};
pub use streams_rules as rules;
pub use topology::{Description, NameScope, Topology, TopologyBuilder};

/// What nearly every job needs.
pub mod prelude {
    pub use crate::config::{
        ErrorPolicy, Guarantee, OffsetReset, StateBackend, TopologyOptimization,
    };
    pub use crate::dsl::{GlobalKTable, KGroupedStream, KGroupedTable, KStream, KTable};
    pub use crate::processor::{
        Child, FixedKeyContext, FixedKeyInitContext, FixedKeyProcessor, FixedKeyRecord, Headers,
        InitContext, Outcome, Processor, ProcessorContext, PunctuationType, PunctuatorId, Record,
        Schedule,
    };
    pub use crate::serde::{By, ByType, HasSerde, Json, Keyless, Serde};
    pub use crate::state::{
        KeyValueStore, SessionStore, Stores, VersionedKeyValueStore, Window, WindowStore, Windowed,
    };
    pub use crate::testing::TopologyTestDriver;
    pub use crate::topology::{Topology, TopologyBuilder};
    pub use streams_macros::{Json, topology};
}
