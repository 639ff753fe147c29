//! A generic parameter is not a constant.

use streams::prelude::*;

#[topology(application_id = "job", checkpoint_interval = std::time::Duration::from_secs(SECONDS))]
#[sink(topic = "out")]
fn job<const SECONDS: u64>(
    #[source(topic = "in")] text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text
}

fn main() {}
