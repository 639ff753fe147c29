//! An unknown option is answered with the known ones.

use streams::prelude::*;

#[topology(application_id = "job", parallelism = 4)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
