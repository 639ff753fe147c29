//! The brokers can be configured so.

use streams::prelude::*;

#[topology(application_id = "job", broker_transaction_max_timeout = "600h")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
