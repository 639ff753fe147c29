//! A global table is joined, and has no operators of its own.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] words: KStream<String, String>,
    #[global_table(topic = "rows")] rows: GlobalKTable<String, String>,
) -> KStream<String, String> {
    let long = rows.filter(|_, row| row.len() > 3);
    words.join_global(&long, |word, _| word.clone(), |word, row| format!("{word} {row}"))
}

fn main() {}
