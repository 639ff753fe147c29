//! A parameter is not a constant.

use std::time::Duration;
use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval = interval)]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    interval: Duration,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
