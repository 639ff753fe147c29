//! There is a thread to work.

use streams::prelude::*;

#[topology(application_id = "job", stream_threads = 0)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
