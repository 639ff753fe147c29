//! A stream is not kept, so it has no place.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "rows", state_backend = memory)] rows: KStream<String, String>) -> KStream<String, String> {
    rows
}

fn main() {}
