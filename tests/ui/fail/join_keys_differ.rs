//! The stream's key and the table's are of different types.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] words: KStream<String, String>,
    #[table(topic = "rows")] rows: KTable<i64, String>,
) -> KStream<String, String> {
    words.join(&rows, |word, row| format!("{word} {row}"))
}

fn main() {}
