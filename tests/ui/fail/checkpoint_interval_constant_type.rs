//! A constant has the type of its option.

use streams::prelude::*;

const SECONDS: u64 = 10;

#[topology(application_id = "job", checkpoint_interval = SECONDS)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
