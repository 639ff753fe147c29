//! A topic is given under its name.

use streams::prelude::*;

const OUT: &str = "out";

#[topology(application_id = "job")]
#[sink("out")]
#[sink(OUT, value = Utf8)]
fn job(
    #[source("in")] text: KStream<Keyless, String>,
) -> (KStream<Keyless, String>, KStream<Keyless, String>) {
    (text.clone(), text)
}

fn main() {}
