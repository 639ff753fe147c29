//! A serde writes the type.

use streams::prelude::*;
use streams::serde::Utf8;

#[topology(application_id = "job")]
#[sink(topic = "out", value = Utf8)]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, u64> {
    text.map_values(|line| line.len() as u64)
}

fn main() {}
