//! A number whose size differs between machines has no bytes of its own.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, usize> {
    text.map_values(|line| line.len())
}

fn main() {}
