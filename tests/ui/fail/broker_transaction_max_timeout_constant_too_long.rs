//! A constant is checked in the same words.

use std::time::Duration;
use streams::prelude::*;

const MAX: Duration = Duration::from_secs(600 * 3_600);

#[topology(application_id = "job", broker_transaction_max_timeout = MAX)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
