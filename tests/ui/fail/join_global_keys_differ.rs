//! The key that is made of a record is of another type than the global table's.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "flights")] flights: KStream<String, String>,
    #[global_table(topic = "airports")] airports: GlobalKTable<i64, String>,
) -> KStream<String, String> {
    flights.join_global(
        &airports,
        |_, destination| destination.clone(),
        |_, airport| airport.clone(),
    )
}

fn main() {}
