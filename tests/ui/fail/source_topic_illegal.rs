//! Kafka allows some characters.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "input text")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
