//! A checkpoint ends before its transaction times out, by whatever was set.

use streams::prelude::*;

#[topology(
    application_id = "job",
    checkpoint_interval = "5min",
    transaction_timeout = "5min"
)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
