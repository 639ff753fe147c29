//! The client accepts the timeout.

use streams::prelude::*;

#[topology(application_id = "job", transaction_timeout = "500ms")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
