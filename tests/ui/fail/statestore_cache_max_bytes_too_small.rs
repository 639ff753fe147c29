//! A record cache counts bytes, not megabytes.

use streams::prelude::*;

#[topology(application_id = "job", statestore_cache_max_bytes = 10)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
