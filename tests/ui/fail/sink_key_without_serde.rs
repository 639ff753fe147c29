//! A sink's key type has a wire format.

use streams::prelude::*;

pub struct Sensor(pub usize);

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<Sensor, String> {
    text.select_key(|_, line| Sensor(line.len()))
}

fn main() {}
