//! A parameter is read from one topic.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")]
    #[source(topic = "more")]
    text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
