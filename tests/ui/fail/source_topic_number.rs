//! A topic is text.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = 1)] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
