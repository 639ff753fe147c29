//! The recipe as a job whose topics come from the environment, so that many tests can share a cluster: copies
//! `CRASH_INPUT` to `CRASH_OUTPUT`, exactly once, as the application `CRASH_APPLICATION_ID`.

use streams::{ByType, KStream, Keyless, TopologyBuilder};

#[tokio::main]
async fn main() -> streams::Result<()> {
    let [input, output, application_id] = ["CRASH_INPUT", "CRASH_OUTPUT", "CRASH_APPLICATION_ID"]
        .map(|name| std::env::var(name).unwrap_or_default());
    let builder = TopologyBuilder::new(&application_id);
    let text: KStream<Keyless, String> = builder.source(&input, ByType, ByType);
    streams::sink(text, &output, ByType, ByType);
    streams::cli::run(builder.build()).await
}
