//! A duration is text, or a `Duration`.

use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval = 10)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
