//! The application id is a literal.

use streams::prelude::*;

const NAME: &str = "job";

#[topology(application_id = NAME)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
