//! A constant is checked in the same words.

use streams::prelude::*;

const REJECTED: &str = "in";

#[topology(application_id = "job", on_error(process = dead_letter(REJECTED)))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
