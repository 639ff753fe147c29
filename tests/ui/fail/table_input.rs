//! Tables are not inputs yet.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    #[table(topic = "rows")] rows: KStream<String, String>,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
