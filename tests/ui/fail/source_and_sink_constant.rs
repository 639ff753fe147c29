//! A constant is checked in the same words.

use streams::prelude::*;

const TOPIC: &str = "in";

#[topology(application_id = "job")]
#[sink(topic = TOPIC)]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
