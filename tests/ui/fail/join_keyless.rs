//! Records without a key cannot be joined by it.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] words: KStream<Keyless, String>,
    #[table(topic = "rows")] rows: KTable<String, String>,
) -> KStream<String, String> {
    words.join(&rows, |word, row| format!("{word} {row}"))
}

fn main() {}
