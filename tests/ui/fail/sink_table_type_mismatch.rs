//! The table that is returned has counts, and not texts.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] words: KStream<String, String>) -> KTable<String, String> {
    words.group_by_key().count()
}

fn main() {}
