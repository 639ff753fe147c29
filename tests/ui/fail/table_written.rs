//! A table is written as the stream of its updates.

use streams::prelude::*;

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] words: KStream<String, String>) {
    words.group_by_key().count().to("out");
}

fn main() {}
