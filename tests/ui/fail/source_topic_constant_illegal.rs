//! A constant is checked in the same words.

use streams::prelude::*;

const TOPIC: &str = "input text";

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = TOPIC)] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
