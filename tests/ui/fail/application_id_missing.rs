//! A topology has an application id.

use streams::prelude::*;

#[topology(guarantee = exactly_once)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
