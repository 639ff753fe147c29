//! A topology is a function.

use streams::prelude::*;

#[topology(application_id = "job")]
struct Job;

const _: Job = Job;

fn main() {}
