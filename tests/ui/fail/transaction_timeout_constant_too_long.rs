//! A constant is checked in the same words.

use std::time::Duration;
use streams::prelude::*;

#[topology(application_id = "job", transaction_timeout = Duration::from_secs(1_200))]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
