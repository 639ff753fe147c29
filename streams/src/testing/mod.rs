//! Tests of topologies without a broker.

mod checkpoints;
mod driver;
mod outputs;
#[cfg(test)]
mod processors;
mod record;
#[cfg(test)]
mod record_cache;
#[cfg(test)]
mod records;
mod stores;
mod with_store;

pub use driver::TopologyTestDriver;
pub use record::{RawRecord, TestRecord};
pub use with_store::TestContext;
