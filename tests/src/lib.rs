//! What the tests that span the crates of `streams` share: a Kafka to run on, clients with which a test
//! produces and reads, an independent recount of what a job has done, and jobs as child processes.
//!
//! A test is written once, against [`TestCluster`], and runs on whichever Kafka the environment names.
//! Nothing here uses the client code of `streams`: what judges it must not share its mistakes.
//!
//! These helpers panic, with a message that says what was expected and what was there, where library code
//! would return an error: a test that cannot go on has failed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod apache;
mod client;
mod cluster;
mod copy;
mod counts;
pub mod crash;
#[cfg(feature = "docker")]
mod docker;
mod guarded;
mod java;
mod job;
mod jvm;
mod missing;
mod oracle;
mod random;
mod restores;
mod secured;
mod wait;

pub use client::{Deliveries, Delivery, Isolation, Member, ReadRecord, Sender, block_on};
pub use cluster::TestCluster;
pub use copy::CopyJob;
pub use counts::Counts;
pub use java::Java;
pub use job::Job;
pub use missing::skip;
pub use oracle::Oracle;
pub use random::Random;
pub use restores::ToldRestore;
pub use secured::SecuredKafka;
pub use wait::{eventually, wait_until};
