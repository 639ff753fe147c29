//! Each returned stream has its sink.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
) -> (KStream<Keyless, String>, KStream<Keyless, String>) {
    (text.clone(), text)
}

fn main() {}
