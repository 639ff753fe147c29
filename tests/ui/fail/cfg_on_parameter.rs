//! A parameter is there, or it is not.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    #[cfg(test)] _limit: usize,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
