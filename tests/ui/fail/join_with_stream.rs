//! A stream is joined with a table.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] words: KStream<String, String>,
    #[source(topic = "rows")] rows: KStream<String, String>,
) -> KStream<String, String> {
    words.join(&rows, |word, row| format!("{word} {row}"))
}

fn main() {}
