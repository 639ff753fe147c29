//! A processor takes the keys and values that come.

use streams::prelude::*;

struct Upper;

impl Processor<String, String> for Upper {
    type KeyOut = String;
    type ValueOut = String;
    fn process(&mut self, record: Record<'_, String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Outcome {
        cx.forward(record)
    }
}

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(#[source(topic = "in")] text: KStream<Keyless, String>) -> KStream<String, String> {
    text.process(|| Upper)
}

fn main() {}
