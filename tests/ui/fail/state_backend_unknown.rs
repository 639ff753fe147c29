//! State is kept on disk or in memory.

use streams::prelude::*;

#[topology(application_id = "job", state_backend = rocksdb)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
