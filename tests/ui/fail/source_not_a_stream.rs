//! A source gives a stream.

use streams::prelude::*;

#[topology(application_id = "job")]
fn job(#[source(topic = "in")] _text: Vec<String>) {}

fn main() {}
