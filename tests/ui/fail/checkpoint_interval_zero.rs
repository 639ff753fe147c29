//! Checkpoints are apart.

use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval = "0s")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
