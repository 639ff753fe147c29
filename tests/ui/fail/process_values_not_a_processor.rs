//! What is given to `process_values` makes a processor that leaves the key alone.

use streams::prelude::*;

struct Upper;

impl Processor<String, String> for Upper {
    type KeyOut = String;
    type ValueOut = String;
    fn process(
        &mut self,
        record: Record<'_, String, String>,
        cx: &mut ProcessorContext<'_, String, String>,
    ) -> Outcome {
        cx.forward(record)
    }
}

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<String, String>) -> KStream<String, String> {
    text.process_values(|| Upper)
}

fn main() {}
