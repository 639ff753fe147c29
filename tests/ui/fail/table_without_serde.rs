//! A table of a type that has no serde.

use streams::prelude::*;

pub struct Airline {
    pub name: String,
}

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[table(topic = "airlines")] airlines: KTable<String, Airline>) -> KTable<String, String> {
    airlines.map_values(|airline| airline.name.clone())
}

fn main() {}
