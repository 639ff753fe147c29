//! The application id is given under its name.

use streams::prelude::*;

#[topology("job", stream_threads = 2)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
