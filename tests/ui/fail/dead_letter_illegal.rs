//! A dead-letter topic has a legal name.

use streams::prelude::*;

#[topology(application_id = "job", on_error(deserialize = dead_letter("rejected records")))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
