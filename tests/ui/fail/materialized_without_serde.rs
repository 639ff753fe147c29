//! A table that is kept needs a serde for its values.

use streams::prelude::*;

struct Length(usize);

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[table(topic = "in")] lines: KTable<String, String>) -> KTable<String, String> {
    let lengths = lines.map_values(|line| Length(line.len())).materialized();
    lengths.map_values(|length| length.0.to_string())
}

fn main() {}
