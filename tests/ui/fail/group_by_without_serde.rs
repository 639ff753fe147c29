//! What is grouped goes through a topic, so the new key needs a serde.

use streams::prelude::*;

#[derive(Clone, PartialEq)]
struct Word(String);

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] lines: KStream<String, String>) {
    let counts = lines.group_by(|_, line| Word(line.clone())).count();
    counts.to_stream().for_each(|_, _| ());
}

fn main() {}
