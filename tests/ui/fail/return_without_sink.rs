//! Each returned stream has its sink.

use streams::prelude::*;

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
