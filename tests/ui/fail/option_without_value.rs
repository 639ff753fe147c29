//! An option has a value.

use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
