//! A serde is one.

use streams::prelude::*;

pub struct Yaml;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in", value = Yaml)] text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
