//! Only a table has versions.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "rows", versioned = "1h")] rows: KStream<String, String>) -> KStream<String, String> {
    rows
}

fn main() {}
