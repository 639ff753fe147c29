//! A type that is not there is told once.

use streams::prelude::*;

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] measurements: KStream<Keyless, Mesurement>) {
    measurements.to("out");
}

fn main() {}
