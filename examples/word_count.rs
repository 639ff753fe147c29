//! Counts the words of `lines`: each occurrence is one update in `word-counts`, whatever dies.
//!
//! `cargo run --example word_count` starts an embedded Kafka, fills `lines` and runs the job on it; at the end, here by Ctrl-C,
//! the most frequent words are printed. `-- --lines lines=FILE` takes the lines of a text instead, and ends with them.
//! `cargo run --example word_count -- run --bootstrap-servers HOST:PORT` runs it on a cluster.

use streams::prelude::*;

/// Counts words, exactly once: the counts are kept in the store `counts`, and in its changelog topic.
#[topology(
    application_id = "word-count",
    checkpoint_interval = "200ms",
    stream_threads = 2
)]
#[sink(topic = "word-counts")]
fn word_count(
    #[source(topic = "lines")] lines: KStream<Keyless, String>,
) -> KStream<String, Option<i64>> {
    let words = lines.flat_map_values(|line: &String| {
        let words = line.split(|letter: char| !letter.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect::<Vec<_>>()
    });
    let counts = words.group_by(|_, word| word.clone()).count();
    counts.to_stream()
}

/// How many words are shown.
const SHOWN: usize = 20;

fn most_frequent(mut words: Vec<(String, i64)>) -> String {
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let line = |(word, count): &(String, i64)| format!("{count:>9}  {word}\n");
    let lines: String = words.iter().take(SHOWN).map(line).collect();
    format!("The most frequent of {} words\n{lines}", words.len())
}

/// What the embedded Kafka's `lines` is filled with.
fn line(n: u64) -> String {
    let line = match n % 4 {
        0 => "The quick brown fox jumps over the lazy dog.",
        1 => "A stream is a table in motion; a table is a stream at rest.",
        2 => "To count a word once, and only once, is all that is asked.",
        _ => "The dog sleeps, the fox is gone, and the count is right.",
    };
    line.to_owned()
}

#[tokio::main]
async fn main() -> streams::Result<()> {
    streams::cli::Cli::new(word_count())
        .sample("lines", line)
        .show("word-counts", most_frequent)
        .run()
        .await
}
