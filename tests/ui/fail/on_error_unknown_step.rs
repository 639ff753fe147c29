//! Error policies are set by step, of which there are three.

use streams::prelude::*;

#[topology(application_id = "job", on_error(deserialise = skip))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
