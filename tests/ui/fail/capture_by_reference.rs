//! A closure owns what it uses.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    limit: usize,
) -> KStream<Keyless, String> {
    text.filter(|_, line| line.len() > limit)
}

fn main() {}
