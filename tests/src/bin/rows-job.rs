//! A table whose topic is its changelog, and a record cache, with topics from the environment, so that many tests can share a
//! cluster: adds the rows of `CRASH_INPUT` up by group into `CRASH_OUTPUT`, exactly once, as the application
//! `CRASH_APPLICATION_ID`.

use streams::prelude::*;
use streams_tests::crash::group_of;

/// Room for some tens of rows: updates leave it before a checkpoint, too.
const CACHE_BYTES: usize = 4 << 10;

#[tokio::main]
async fn main() -> streams::Result<()> {
    let [input, output, application_id] = ["CRASH_INPUT", "CRASH_OUTPUT", "CRASH_APPLICATION_ID"]
        .map(|name| std::env::var(name).unwrap_or_default());
    let builder = TopologyBuilder::new(&application_id);
    builder.topology_optimization(TopologyOptimization::ReuseKtableSourceTopics);
    builder.statestore_cache_max_bytes(CACHE_BYTES);
    let rows = builder.table::<String, i64>(&input).named("rows");
    let groups = rows.group_by(|_, value| (group_of(*value), *value));
    let sums = groups.aggregate(
        || 0,
        |_, value, sum| sum + value,
        |_, value, sum| sum - value,
    );
    sums.named("sums").to_stream().to(&output);
    streams::cli::run(builder.build()).await
}
