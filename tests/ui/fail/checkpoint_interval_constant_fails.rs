//! A constant that cannot be computed is told where it is, and where it is used.

use std::time::Duration;
use streams::prelude::*;

const SECONDS: u64 = 10 - 20;

#[topology(application_id = "job", checkpoint_interval = Duration::from_secs(SECONDS))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
