//! Tables as parameters, and as what is returned; each store is called after its parameter or its `let`.

use streams::prelude::*;

#[topology(application_id = "tables")]
#[sink(topic = "named-flights")]
#[sink(topic = "flights-by-airline")]
fn tables(
    #[source(topic = "flights")] flights: KStream<String, String>,
    #[table(topic = "airlines", value = Json, versioned = "1h", state_backend = memory)] airlines: KTable<String, String>,
    #[global_table(topic = "airports", state_backend = memory)] airports: GlobalKTable<String, String>,
    at_least: i64,
) -> (KStream<String, String>, KTable<String, i64>) {
    let named = flights
        .join(&airlines, |flight, airline| format!("{airline} {flight}"))
        .left_join_global(&airports, |_, flight| flight.clone(), |flight, airport| {
            format!("{flight} {}", airport.is_some())
        });
    let counts = flights.group_by_key().count();
    (named, counts.filter(move |_, count| *count >= at_least))
}

fn main() {
    let topology = tables(2);
    topology.check().unwrap();
    let mut driver = TopologyTestDriver::new(topology).unwrap();
    driver.pipe("airlines", "UA", "\"United\"").unwrap();
    let airlines = || Stores::versioned_key_value::<String, String>("airlines", std::time::Duration::from_secs(3600));
    driver.with_store(airlines(), |store, cx| store.get(cx, &"UA".to_owned()).map(drop)).unwrap();
    for _ in 0..2 {
        driver.pipe("flights", "UA", "5").unwrap();
    }
    let named = driver.read_values::<String>("named-flights").unwrap();
    assert_eq!(named, ["United 5 false", "United 5 false"]);
    let counts = driver.read_values::<Option<i64>>("flights-by-airline").unwrap();
    assert_eq!(counts, [Some(2)]);
    let stores = ["airlines", "counts"].map(|store| driver.key_value_store::<String, String>(store).is_err());
    assert_eq!(stores[0], false, "the table's store is called after the parameter");
}
