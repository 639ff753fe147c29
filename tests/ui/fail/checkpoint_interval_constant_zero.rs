//! A constant is checked in the same words.

use std::time::Duration;
use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval = Duration::ZERO)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
