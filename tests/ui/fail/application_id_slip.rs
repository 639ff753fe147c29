//! A slip in its name does not make the application id missing as well.

use streams::prelude::*;

#[topology(aplication_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
