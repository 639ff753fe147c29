//! Records are counted by key, so they are grouped first.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] words: KStream<String, String>) -> KTable<String, i64> {
    words.count()
}

fn main() {}
