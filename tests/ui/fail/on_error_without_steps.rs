//! Error policies are set by step.

use streams::prelude::*;

#[topology(application_id = "job", on_error = skip)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
