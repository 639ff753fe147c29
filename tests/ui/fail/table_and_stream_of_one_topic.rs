//! One topic, read both as a stream and as a table.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "rows")] changes: KStream<String, String>,
    #[table(topic = "rows")] rows: KTable<String, String>,
) -> KStream<String, String> {
    changes.join(&rows, |change, _| change.clone())
}

fn main() {}
