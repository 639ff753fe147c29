//! A sink stands above the function.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[sink(topic = "more")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
