//! Kafka reserves two names.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "..")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
