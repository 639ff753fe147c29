//! There are no windowed aggregations; a processor with a store of windows does their work.

use std::time::Duration;
use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] words: KStream<String, String>) -> KTable<String, i64> {
    words.group_by_key().windowed_by(Duration::from_secs(60)).count()
}

fn main() {}
