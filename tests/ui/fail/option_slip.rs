//! A slip is recognised.

use streams::prelude::*;

#[topology(application_id = "job", checkpoint_intervall = "10s")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
