//! Nothing can be forwarded before the first record, but by a punctuator.

use streams::prelude::*;

struct Greet;

impl Processor<String, String> for Greet {
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_, Self, String, String>) -> Outcome {
        cx.forward(Record::new(&"hello".to_owned(), &"world".to_owned(), 0))
    }

    fn process(&mut self, record: Record<'_, String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Outcome {
        cx.forward(record)
    }
}

fn main() {}
