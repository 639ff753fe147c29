//! A table's keys are what it is kept by.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[table(topic = "in")] words: KTable<String, String>) -> KStream<String, String> {
    words.select_key(|_, word| word.clone())
}

fn main() {}
