//! Transactional options have no effect without transactions.

use streams::prelude::*;

#[topology(
    application_id = "job",
    guarantee = at_least_once,
    transactional_id_prefix = "job",
    transaction_timeout = "60s",
)]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    text
}

fn main() {}
