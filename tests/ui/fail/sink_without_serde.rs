//! A sink's type has a wire format.

use streams::prelude::*;

pub struct Measurement {
    pub celsius: f64,
}

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Keyless, Measurement> {
    text.map_values(|line| Measurement {
        celsius: line.len() as f64,
    })
}

fn main() {}
