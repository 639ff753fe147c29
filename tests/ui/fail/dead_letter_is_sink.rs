//! Rejected records are not among the output, by a literal or a constant.

use streams::prelude::*;

const REJECTED: &str = "out";

#[topology(application_id = "job", on_error(deserialize = dead_letter("out")))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

#[topology(application_id = "other", on_error(process = dead_letter(REJECTED)))]
#[sink(topic = "out")]
fn other(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
