//! A constant is checked in the same words.

use std::time::Duration;
use streams::prelude::*;

const INTERVAL: Duration = Duration::from_secs(90);

#[topology(application_id = "job", checkpoint_interval = INTERVAL)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
