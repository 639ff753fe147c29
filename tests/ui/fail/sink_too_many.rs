//! Each sink has its stream.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
#[sink(topic = "more")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
