//! A source's type has a wire format.

use streams::prelude::*;

pub struct Measurement {
    pub celsius: f64,
}

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] measurements: KStream<Keyless, Measurement>) {
    measurements.map_values(|m| m.celsius).to("out");
}

fn main() {}
