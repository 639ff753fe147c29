//! A source is a parameter.

use streams::prelude::*;

#[topology(application_id = "job")]
#[source(topic = "more")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
