//! What a sink writes, a source has kept or ignored.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out", headers = ignore)]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
