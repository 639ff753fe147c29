//! `#[table]` gives a table, and not a stream.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[table(topic = "rows")] rows: KStream<String, String>) -> KStream<String, String> {
    rows
}

fn main() {}
