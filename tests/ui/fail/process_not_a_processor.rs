//! What is given to `process` makes a processor.

use streams::prelude::*;

#[derive(Default)]
struct Upper;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<String, String>) -> KStream<String, String> {
    text.process(|| Upper)
}

fn main() {}
