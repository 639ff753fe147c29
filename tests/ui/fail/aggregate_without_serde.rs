//! An aggregate is kept, so its type needs a serde.

use streams::prelude::*;

#[derive(Default)]
pub struct Total {
    pub words: u64,
}

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] words: KStream<String, String>) -> KStream<String, u64> {
    let totals = words.group_by_key().aggregate(Total::default, |_, _, total: Total| total);
    totals.to_stream().map_values(|_| 1)
}

fn main() {}
