//! A closure keeps no state.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, String> {
    let mut seen = 0;
    let halved = text.filter(move |_, _| {
        seen += 1;
        seen % 2 == 0
    });
    halved
}

fn main() {}
