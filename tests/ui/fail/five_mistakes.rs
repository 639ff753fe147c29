//! All mistakes of a function are told at once, and no error follows from them.

use streams::prelude::*;

#[topology(
    application_id = "five mistakes",
    checkpoint_interval = "90s",
    stream_treads = 4
)]
#[sink(topic = "in")]
#[sink(topic = "out")]
fn five_mistakes(
    #[source(topic = "in")] text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    let loud = text.map_values(|line| line.to_uppercase());
    loud.filter(|_, line| !line.is_empty())
}

fn caller() -> Topology {
    five_mistakes()
}

fn main() {}
