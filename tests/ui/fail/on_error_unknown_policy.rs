//! An error policy is one of three.

use streams::prelude::*;

#[topology(application_id = "job", on_error(process = ignore))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
