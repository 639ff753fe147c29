//! `#[derive(Json)]` gives a type, also a generic one, its wire format.

#![deny(warnings)]

use serde::{Deserialize, Serialize};
use streams::prelude::*;

#[derive(Serialize, Deserialize, Json)]
struct Measurement<T> {
    sensor: String,
    value: T,
}

#[derive(Clone, Serialize, Deserialize, Json)]
enum Level {
    High,
    Low,
}

#[topology(application_id = "levels")]
#[sink(topic = "out")]
fn levels(
    #[source(topic = "in")] measured: KStream<Keyless, Measurement<f64>>,
) -> KStream<String, Level> {
    measured.map(|_, m| {
        (
            m.sensor.clone(),
            if m.value > 30.0 {
                Level::High
            } else {
                Level::Low
            },
        )
    })
}

fn main() -> streams::Result<()> {
    let mut driver = TopologyTestDriver::new(levels())?;
    driver.pipe("in", &Keyless, r#"{"sensor":"a","value":31.5}"#)?;
    assert_eq!(driver.read_values::<String>("out")?, [r#""High""#]);
    Ok(())
}
