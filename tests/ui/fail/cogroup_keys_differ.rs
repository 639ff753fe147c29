//! Streams that are aggregated into one table have keys of one type.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "words")] words: KStream<String, String>,
    #[source(topic = "numbers")] numbers: KStream<i64, String>,
) -> KTable<String, i64> {
    let words = words.group_by_key().cogroup(|_, _, count: i64| count + 1);
    let both = words.cogroup(&numbers.group_by_key(), |_, _, count| count + 1);
    both.aggregate(|| 0)
}

fn main() {}
