//! A store's values are written as bytes.

use streams::prelude::*;

struct Basket(Vec<String>);

fn main() {
    let builder = TopologyBuilder::new("job");
    let _ = builder.store(Stores::key_value::<String, Basket>("baskets"));
}
