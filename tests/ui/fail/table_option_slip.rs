//! A slip in the name of an option of `#[table]`.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[table(topik = "rows")] rows: KTable<String, String>) -> KTable<String, String> {
    rows
}

fn main() {}
