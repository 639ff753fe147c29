//! A stream comes from a topic.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    more: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text.merge(&more)
}

fn main() {}
