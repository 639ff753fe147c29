//! The prefix begins transactional ids.

use streams::prelude::*;

#[topology(application_id = "job", transactional_id_prefix = "my/job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
