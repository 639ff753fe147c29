//! What the runtime promises when user code, other members or the brokers misbehave: jobs in this process, judged by
//! recounting what a read-committed consumer finds.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bounded;
mod checks;
mod dealing;
mod endings;
mod fixture;
mod members;
mod outputs;
mod positions;
mod records;
mod rolling_restart;
mod topics;
#[path = "../../../streams-broker/tests/protocol/wire/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "one test speaks the protocol itself, and little of it"
)]
mod wire;

/// Where the wire finds a broker if nobody says it.
mod kafka {
    pub(crate) fn address() -> &'static str {
        streams_tests::TestCluster::shared().bootstrap_servers()
    }
}
