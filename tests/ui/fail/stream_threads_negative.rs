//! Threads are counted.

use streams::prelude::*;

#[topology(application_id = "job", stream_threads = -1)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
