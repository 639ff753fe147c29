//! The broker as librdkafka sees it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod addresses;
mod client;
mod copying;
mod faults;
mod groups;
mod records;
mod strikes;
mod transactions;
