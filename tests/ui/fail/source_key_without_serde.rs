//! A source's key type has a wire format.

use streams::prelude::*;

pub struct Sensor(pub u32);

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] text: KStream<Sensor, String>) {
    text.map(|sensor, line| (sensor.0, line.clone())).to("out");
}

fn main() {}
