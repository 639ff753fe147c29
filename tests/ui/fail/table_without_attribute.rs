//! A table that nothing gives.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<String, String>,
    rows: KTable<String, String>,
) -> KStream<String, String> {
    text.join(&rows, |text, _| text.clone())
}

fn main() {}
