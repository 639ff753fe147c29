//! A stream without keys has no serde for them.

use streams::prelude::*;
use streams::serde::Utf8;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in", key = Utf8)] text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
