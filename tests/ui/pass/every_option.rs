//! Every option, by literals and by constants, arrives in the topology's configuration.

#![deny(warnings)]

use std::time::Duration;
use streams::prelude::*;

#[topology(
    application_id = "literals",
    guarantee = exactly_once,
    checkpoint_interval = "10s",
    transactional_id_prefix = "Prefix",
    transaction_timeout = "20min",
    broker_transaction_max_timeout = "1h",
    stream_threads = 2,
    offset_reset = latest,
    state_backend = memory,
    statestore_cache_max_bytes = 10_485_760,
    topology_optimization = reuse_ktable_source_topics,
    on_error(deserialize = dead_letter("rejected"), process = skip, produce = fail),
)]
#[sink(topic = "out")]
fn literals(
    #[source(topic = "in", headers = ignore)] text: KStream<Keyless, String>,
    #[source(topic = "more", headers = keep)] more: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text.merge(&more)
}

mod settings {
    use std::time::Duration;

    pub const INTERVAL: Duration = Duration::from_millis(1_500);
    pub const TIMEOUT: Duration = Duration::from_secs(90);
    pub const MAX: Duration = Duration::from_secs(120);
    pub const PREFIX: &str = "Prefix";
    pub const THREADS: usize = 3;
    pub const CACHE: usize = 1 << 20;
    pub const INPUT: &str = "in";
    pub const OUTPUT: &str = "out";
    pub const REJECTED: &str = "rejected";
}

#[topology(
    application_id = "constants",
    checkpoint_interval = settings::INTERVAL,
    transactional_id_prefix = settings::PREFIX,
    transaction_timeout = settings::TIMEOUT,
    broker_transaction_max_timeout = settings::MAX,
    stream_threads = settings::THREADS,
    offset_reset = none,
    statestore_cache_max_bytes = settings::CACHE,
    on_error(produce = dead_letter(settings::REJECTED)),
)]
#[sink(topic = settings::OUTPUT, value = Json)]
fn constants(
    #[source(topic = settings::INPUT, value = Json)] numbers: KStream<Keyless, Vec<u64>>,
) -> KStream<Keyless, u64> {
    numbers.map_values(|numbers| numbers.iter().sum::<u64>())
}

#[topology(application_id = "at-least-once", guarantee = at_least_once, checkpoint_interval = "1h")]
#[sink(topic = "out")]
fn at_least_once(
    #[source(topic = "in")] text: KStream<Keyless, String>,
) -> KStream<Keyless, String> {
    text
}

#[topology(application_id = "merged", topology_optimization = all)]
fn merged(
    #[source(topic = "in")] text: KStream<Keyless, String>,
    #[table(topic = "rows")] rows: KTable<String, String>,
) {
    rows.to_stream().to("changes");
    let by_length = text.select_key(|_, text| text.len() as u64);
    let counts = by_length.group_by_key().count();
    counts.to_stream().to("counts");
    let newest = by_length.to_table();
    newest.to_stream().to("newest");
}

fn main() -> streams::Result<()> {
    merged().check()?;
    let description = merged().describe().json();
    assert!(description.contains("merged-counts-repartition"));
    assert!(!description.contains("merged-rows-changelog"));
    assert!(!description.contains("merged-newest-repartition"));


    let topology = literals();
    topology.check()?;
    let config = topology.config();
    assert_eq!(topology.application_id(), "literals");
    assert_eq!(config.guarantee, Guarantee::ExactlyOnce);
    assert_eq!(config.checkpoint_interval, Some(Duration::from_secs(10)));
    assert_eq!(config.transactional_id_prefix.as_deref(), Some("Prefix"));
    assert_eq!(config.transaction_timeout, Some(Duration::from_secs(1_200)));
    assert_eq!(
        config.broker_transaction_max_timeout,
        Some(Duration::from_secs(3_600))
    );
    assert_eq!(config.stream_threads, 2);
    assert_eq!(config.offset_reset, OffsetReset::Latest);
    assert_eq!(config.state_backend, StateBackend::Memory);
    assert_eq!(config.statestore_cache_max_bytes, 10 << 20);
    assert_eq!(
        config.on_error.deserialize,
        ErrorPolicy::DeadLetter("rejected".into())
    );
    assert_eq!(config.on_error.process, ErrorPolicy::Skip);
    assert_eq!(config.on_error.produce, ErrorPolicy::Fail);

    let topology = constants();
    topology.check()?;
    let config = topology.config();
    assert_eq!(config.checkpoint_interval, Some(settings::INTERVAL));
    assert_eq!(
        config.transactional_id_prefix.as_deref(),
        Some(settings::PREFIX)
    );
    assert_eq!(config.transaction_timeout, Some(settings::TIMEOUT));
    assert_eq!(config.broker_transaction_max_timeout, Some(settings::MAX));
    assert_eq!(config.stream_threads, settings::THREADS);
    assert_eq!(config.offset_reset, OffsetReset::None);
    assert_eq!(config.state_backend, StateBackend::Disk);
    assert_eq!(config.statestore_cache_max_bytes, settings::CACHE);
    assert_eq!(
        config.on_error.produce,
        ErrorPolicy::DeadLetter(settings::REJECTED.into())
    );
    assert_eq!(
        topology.source_topics().collect::<Vec<_>>(),
        [settings::INPUT]
    );
    assert_eq!(
        topology.sink_topics().collect::<Vec<_>>(),
        [settings::OUTPUT]
    );

    let topology = at_least_once();
    topology.check()?;
    assert_eq!(
        topology.config().checkpoint_interval(),
        Duration::from_secs(3_600)
    );
    Ok(())
}
