//! A topology returns streams.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> u64 {
    text.to("elsewhere");
    1
}

fn main() {}
