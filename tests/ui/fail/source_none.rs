//! A topology reads something.

use streams::prelude::*;

#[topology(application_id = "job")]
fn job(_limit: usize) {}

fn main() {}
