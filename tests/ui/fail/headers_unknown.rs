//! Headers are kept or ignored.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in", headers = drop)] text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
