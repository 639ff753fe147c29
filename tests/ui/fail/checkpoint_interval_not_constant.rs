//! A value that is only known at run time is not a constant.

use std::time::Duration;
use streams::prelude::*;

fn configured() -> Duration {
    Duration::from_secs(10)
}

#[topology(application_id = "job", checkpoint_interval = configured())]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
