//! The program around a topology, as who types its command line meets it: what it prints, and with which exit code it ends.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod arguments;
mod check;
mod describe;
mod fixture;
mod lines;
mod run;
