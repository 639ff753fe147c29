//! What map returns has a key and a value.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<String, u64> {
    text.map(|_, line| line.len())
}

fn main() {}
