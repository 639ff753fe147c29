//! What the runtime promises when user code, other members or the brokers misbehave: jobs in this process, judged by
//! recounting what a read-committed consumer finds.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bounded;
mod endings;
mod fixture;
mod members;
mod outputs;
mod positions;
mod records;
mod rolling_restart;
mod topics;
