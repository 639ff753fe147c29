//! A constant is checked in the same words.

use streams::prelude::*;

const THREADS: usize = 0;

#[topology(application_id = "job", stream_threads = THREADS)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
