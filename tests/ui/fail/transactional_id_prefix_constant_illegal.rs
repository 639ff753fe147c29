//! A constant is checked in the same words.

use streams::prelude::*;

const PREFIX: &str = "my/job";

#[topology(application_id = "job", transactional_id_prefix = PREFIX)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
