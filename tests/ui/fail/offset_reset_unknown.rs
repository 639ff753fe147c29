//! An offset reset is one of three.

use streams::prelude::*;

#[topology(application_id = "job", offset_reset = beginning)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
