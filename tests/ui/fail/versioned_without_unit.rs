//! For how long versions are kept is a duration.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[table(topic = "rows", versioned = true)] rows: KTable<String, String>) -> KTable<String, String> {
    rows
}

fn main() {}
