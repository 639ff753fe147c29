//! A topology is a free function.

use streams::prelude::*;

struct Jobs;

impl Jobs {
    #[topology(application_id = "job")]
    #[sink(topic = "out")]
    fn job(
        &self,
        #[source(topic = "in")] text: KStream<Keyless, String>,
    ) -> KStream<Keyless, String> {
        text
    }
}

fn main() {}
