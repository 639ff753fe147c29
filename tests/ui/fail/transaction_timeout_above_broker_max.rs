//! The brokers accept the timeout, by what they are said to be configured for.

use streams::prelude::*;

#[topology(
    application_id = "job",
    transaction_timeout = "40min",
    broker_transaction_max_timeout = "30min"
)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
