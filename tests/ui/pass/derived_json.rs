//! `#[derive(Json)]` gives a type, also a generic one, its wire format.

#![deny(warnings)]

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
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

/// What stands for a type that is not one's own.
#[derive(Clone, Default, Serialize, Deserialize, Json)]
struct Seen(HashMap<String, u64>);

#[topology(application_id = "seen")]
#[sink(topic = "seen")]
fn seen(#[source(topic = "in")] words: KStream<String, String>) -> KTable<String, Seen> {
    words.group_by_key().aggregate(Seen::default, |_, word, mut seen: Seen| {
        *seen.0.entry(word.clone()).or_default() += 1;
        seen
    })
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
    let mut driver = TopologyTestDriver::new(seen())?;
    driver.pipe("in", "a", "x")?;
    assert_eq!(driver.read_values::<String>("seen")?, [r#"{"x":1}"#]);
    Ok(())
}
