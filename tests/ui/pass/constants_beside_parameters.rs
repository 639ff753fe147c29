//! A path through a module means the module, even where a parameter has its name.

#![deny(warnings)]

use streams::prelude::*;

mod flights {
    use std::time::Duration;

    pub const TOPIC: &str = "in";
    pub const INTERVAL: Duration = Duration::from_secs(10);
}

mod late {
    pub const TOPIC: &str = "out";
}

#[topology(application_id = "flights", checkpoint_interval = flights::INTERVAL)]
#[sink(topic = late::TOPIC)]
fn job(
    #[source(topic = flights::TOPIC)] flights: KStream<Keyless, String>,
    late: usize,
) -> KStream<Keyless, String> {
    flights.filter(move |_, flight| flight.len() > late)
}

fn main() {
    let topology = job(3);
    assert_eq!(topology.config().checkpoint_interval(), flights::INTERVAL);
    assert_eq!(topology.source_topics().collect::<Vec<_>>(), [flights::TOPIC]);
    assert_eq!(topology.sink_topics().collect::<Vec<_>>(), [late::TOPIC]);
}
