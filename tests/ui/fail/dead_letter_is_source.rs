//! Rejected records do not come back.

use streams::prelude::*;

#[topology(application_id = "job", on_error(deserialize = dead_letter("in")))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
