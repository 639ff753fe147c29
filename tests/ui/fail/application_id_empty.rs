//! The application id is a name.

use streams::prelude::*;

#[topology(application_id = "")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
