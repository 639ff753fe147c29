//! A value is not a list.

use streams::prelude::*;

#[topology(application_id = "job", guarantee(exactly_once))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
