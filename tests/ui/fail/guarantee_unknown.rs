//! A guarantee is one of two.

use streams::prelude::*;

#[topology(application_id = "job", guarantee = exactly_one)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
