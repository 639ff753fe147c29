//! Records without a key cannot be grouped by it.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] words: KStream<Keyless, String>) -> KTable<String, i64> {
    words.group_by_key().count()
}

fn main() {}
