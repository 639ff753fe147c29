//! A topology is built at once.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
async fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
