//! Kafka allows some characters.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "straße")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
