//! Each sink has its stream.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) {
    text.to("elsewhere");
}

fn main() {}
