//! The keys of two tables are of different types.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[table(topic = "names")] names: KTable<String, String>,
    #[table(topic = "ages")] ages: KTable<i64, i64>,
) -> KTable<String, String> {
    names.outer_join(&ages, |name, age| format!("{name:?} {age:?}"))
}

fn main() {}
