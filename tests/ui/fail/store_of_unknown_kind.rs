//! A store is of one of the kinds that `Stores` makes.

use std::collections::HashMap;
use streams::prelude::*;

fn main() {
    let builder = TopologyBuilder::new("job");
    let _ = builder.store(HashMap::<String, i64>::new());
}
