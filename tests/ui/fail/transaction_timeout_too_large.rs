//! A duration that is too long is a duration all the same.

use streams::prelude::*;

#[topology(application_id = "job", transaction_timeout = "9999999999999h")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
