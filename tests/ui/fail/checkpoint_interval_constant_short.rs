//! The runtime tells times apart by milliseconds.

use std::time::Duration;
use streams::prelude::*;

const INTERVAL: Duration = Duration::from_micros(500);

#[topology(application_id = "job", checkpoint_interval = INTERVAL)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
