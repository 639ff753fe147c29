//! A duration has a unit.

use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval = "10 seconds")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
