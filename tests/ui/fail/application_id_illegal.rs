//! The application id begins the names of topics.

use streams::prelude::*;

#[topology(application_id = "my job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
