//! A closure can go to a stream thread.

use std::rc::Rc;
use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    limit: Rc<usize>,
) -> KStream<Keyless, String> {
    text.filter(move |_, line| line.len() > *limit)
}

fn main() {}
