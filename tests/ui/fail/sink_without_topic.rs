//! A sink has a topic.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(value = Json)]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
