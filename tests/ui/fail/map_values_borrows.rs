//! A mapped value is owned.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, u64> {
    let trimmed = text.map_values(|line| line.trim());
    trimmed.map_values(|line| line.len() as u64)
}

fn main() {}
