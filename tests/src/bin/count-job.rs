//! The word count with topics from the environment, so that many tests can share a cluster: counts the words of
//! `CRASH_INPUT` into `CRASH_OUTPUT`, exactly once, as the application `CRASH_APPLICATION_ID`.

use streams::{ByType, KStream, Keyless, TopologyBuilder};

#[tokio::main]
async fn main() -> streams::Result<()> {
    let [input, output, application_id] = ["CRASH_INPUT", "CRASH_OUTPUT", "CRASH_APPLICATION_ID"]
        .map(|name| std::env::var(name).unwrap_or_default());
    let builder = TopologyBuilder::new(&application_id);
    let lines: KStream<Keyless, String> = builder.source(&input, ByType, ByType);
    let words = lines.flat_map_values(|line: &String| {
        line.split(' ').map(str::to_owned).collect::<Vec<String>>()
    });
    let counts = words.group_by(|_, word| word.clone()).count();
    counts.named("counts").to_stream().to(&output);
    streams::cli::run(builder.build()).await
}
