//! A global table has a join of its own.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] words: KStream<String, String>,
    #[global_table(topic = "rows")] rows: GlobalKTable<String, String>,
) -> KStream<String, String> {
    words.join(&rows, |word, row| format!("{word} {row}"))
}

fn main() {}
