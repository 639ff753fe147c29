//! A type of std cannot be derived on: it goes into a struct of one's own.

use std::collections::HashMap;
use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] words: KStream<String, String>) -> KStream<String, u64> {
    let seen = words.group_by_key().aggregate(HashMap::<String, u64>::new, |_, word, mut seen: HashMap<String, u64>| {
        *seen.entry(word.clone()).or_default() += 1;
        seen
    });
    seen.to_stream().map_values(|_| 1)
}

fn main() {}
