//! The application id is text.

use streams::prelude::*;

#[topology(application_id = 1)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
