//! A topology does not read its own output.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "in")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
