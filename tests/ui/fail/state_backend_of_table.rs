//! A table is kept on disk or in memory.

use streams::prelude::*;

#[topology(application_id = "job")]
#[sink(topic = "out")]
fn job(
    #[table(topic = "rows", state_backend = "memory")] rows: KTable<String, String>,
    #[global_table(topic = "names", state_backend = memroy)] names: GlobalKTable<String, String>,
) -> KTable<String, String> {
    let _ = names;
    rows
}

fn main() {}
