//! Tests of topologies without a broker.

mod driver;
mod record;

pub use driver::TopologyTestDriver;
pub use record::{RawRecord, TestRecord};
