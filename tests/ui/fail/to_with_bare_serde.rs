//! A chosen serde is wrapped in `By`.

use streams::prelude::*;

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] text: KStream<String, String>) {
    text.to_with("out", ByType, Json);
}

fn main() {}
