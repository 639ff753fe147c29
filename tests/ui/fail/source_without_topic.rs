//! A source has a topic.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
