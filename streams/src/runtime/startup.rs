//! What is checked against the live cluster before a job starts: one clear error for all that is missing.

use super::delivery::Delivery;
use super::first_contact;
use super::internal_topics::{self, OwnTopic, Verified};
use super::output::Output;
use super::patience::Patience;
use super::permissions::{self, OwnTopics};
use super::stop::Stop;
use super::user_topics::Topics;
use crate::config::{Guarantee, JobConfig};
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::consumer::GroupConsumer;
use crate::kafka::properties::{ConsumerSettings, Properties};
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a cluster that is there may take to answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The broker's setting for the longest transaction timeout that it accepts (`transaction.max.timeout.ms`).
const MAX_TRANSACTION_TIMEOUT: &str = "transaction.max.timeout.ms";

/// What the cluster has for a job.
#[derive(Clone, Debug)]
pub struct ClusterReport {
    /// How many brokers there are.
    pub brokers: usize,
    /// The source topics, with their partition counts.
    pub sources: BTreeMap<String, i32>,
    /// The topics of global tables, with their partition counts.
    pub global_tables: BTreeMap<String, i32>,
    /// The output topics that are known before the job runs, with their partition counts.
    pub sinks: BTreeMap<String, i32>,
    /// The dead-letter topics, with their partition counts.
    pub dead_letters: BTreeMap<String, i32>,
    /// The job's own topics, those that are to be created among them.
    pub own_topics: Vec<OwnTopic>,
    /// How many tasks there are, which is how many stream threads can have work.
    pub tasks: usize,
    /// The largest batch that each of these output topics takes (`max.message.bytes`), where the cluster tells it.
    pub message_limits: BTreeMap<String, usize>,
    /// The longest transaction that the brokers accept; `None` where they do not tell.
    pub transaction_max_timeout: Option<Duration>,
    /// All topics, with their partition counts.
    pub(crate) topics: BTreeMap<String, i32>,
    pub(crate) cluster_id: Option<String>,
}

impl ClusterReport {
    /// Completes it with what was found of the job's own topics.
    pub(crate) fn with_own_topics(self, own: Verified) -> Self {
        Self {
            own_topics: own.told,
            tasks: own.tasks.all(),
            ..self
        }
    }

    pub(crate) fn source_partitions(&self) -> Vec<TopicPartition> {
        let partitions = |(topic, count): (&String, &i32)| {
            let topic = topic.clone();
            (0..*count).map(move |p| TopicPartition::new(topic.as_str(), p))
        };
        self.sources.iter().flat_map(partitions).collect()
    }
}

/// Checks the topology, its configuration, and what the cluster has for it.
///
/// `patience` is how long the cluster may take to answer for the first time.
pub(crate) async fn check(
    topology: &Topology,
    properties: &Properties,
    patience: Duration,
) -> Result<ClusterReport> {
    topology.check()?;
    topology
        .config()
        .validate()
        .map_err(|broken| Error::Configuration(broken.join("\n")))?;
    let config = topology.config();
    if config.guarantee == Guarantee::ExactlyOnce {
        properties.check_transaction_timeout(config.transaction_timeout())?;
    }
    let brokers = first_contact::brokers(properties, patience).await?;
    let admin = Admin::new(properties)?;
    let (admin, topics) = Topics::look_up(topology, admin, brokers.len()).await?;
    // The client's calls block; the answers are few and this happens once.
    let (admin, cluster_id) = blocking(move || {
        let cluster_id = admin.cluster_id(ANSWER_TIMEOUT);
        Ok((admin, cluster_id))
    })
    .await?;
    let transaction_max_timeout = match brokers.first() {
        Some(broker) => transaction_max_timeout(&admin, *broker).await,
        None => None,
    };
    check_transaction_timeout(config, transaction_max_timeout)?;
    let written = topics.dead_letters.keys().chain(topics.sinks.keys());
    let message_limits = admin.message_limits(written.map(String::as_str)).await;
    let Topics {
        all,
        sources,
        global_tables,
        sinks,
        dead_letters,
    } = topics;
    Ok(ClusterReport {
        brokers: brokers.len(),
        sources,
        global_tables,
        sinks,
        dead_letters,
        own_topics: Vec::new(),
        tasks: 0,
        message_limits,
        transaction_max_timeout,
        topics: all,
        cluster_id,
    })
}

/// Beyond [`check`]: whether the job may read, write and join its group, as far as the cluster tells it, and whether it may
/// read its group's offsets and use its transactional ids, which it tries.
pub(crate) async fn check_permissions(
    topology: &Topology,
    properties: &Properties,
    report: &ClusterReport,
) -> Result<()> {
    let config = topology.config();
    let internal = internal_topics::existing(topology, report)?;
    // First, since it waits for the group's coordinator; what the cluster tells has its remedy, so that it is told first.
    let committed = read_offsets(config, properties, report).await;
    let of_its_own = OwnTopics {
        purged: topology.repartition_topics().map(str::to_owned).collect(),
        there: internal,
    };
    permissions::check(&config.application_id, properties, report, &of_its_own).await?;
    committed?;
    match config.guarantee {
        Guarantee::ExactlyOnce => use_transactional_id(config, properties).await,
        Guarantee::AtLeastOnce => Ok(()),
    }
}

async fn read_offsets(
    config: &JobConfig,
    properties: &Properties,
    report: &ClusterReport,
) -> Result<()> {
    let (config, properties) = (config.clone(), properties.clone());
    let partitions = report.source_partitions();
    blocking(move || {
        let settings = ConsumerSettings {
            thread: 0,
            group_id: &config.application_id,
            group_instance_id: "check",
            isolation_level: "read_committed",
        };
        let consumer = GroupConsumer::new(&properties, &settings)?;
        let stop = Stop::new(config.transaction_timeout());
        // A cluster that has just started has no coordinator yet.
        Patience::new(ANSWER_TIMEOUT, &stop)
            .repeat(|wait| consumer.committed(&partitions, wait))?;
        Ok(())
    })
    .await
}

async fn use_transactional_id(config: &JobConfig, properties: &Properties) -> Result<()> {
    let (config, properties) = (config.clone(), properties.clone());
    blocking(move || {
        let delivery = Delivery::ExactlyOnce {
            transactional_id: format!("{}-check", config.transactional_id_prefix()),
            timeout: config.transaction_timeout(),
        };
        let stop = Arc::new(Stop::new(config.transaction_timeout()));
        Output::new(&properties, delivery, 0, stop)?;
        Ok(())
    })
    .await
}

async fn transaction_max_timeout(admin: &Admin, broker: i32) -> Option<Duration> {
    match admin.broker_settings(broker).await {
        Ok(settings) => settings
            .get(MAX_TRANSACTION_TIMEOUT)?
            .parse()
            .ok()
            .map(Duration::from_millis),
        Err(error) => {
            tracing::debug!(%error, "the broker does not tell {MAX_TRANSACTION_TIMEOUT}");
            None
        }
    }
}

fn check_transaction_timeout(config: &JobConfig, max: Option<Duration>) -> Result<()> {
    let timeout = config.transaction_timeout();
    match max {
        Some(max) if config.guarantee == Guarantee::ExactlyOnce && timeout > max => {
            Err(Error::Cluster(format!(
                "`transaction_timeout` is {} ms, but the brokers accept at most {} ms (`{MAX_TRANSACTION_TIMEOUT}`); lower the one or raise the other",
                timeout.as_millis(),
                max.as_millis()
            )))
        }
        _ => Ok(()),
    }
}

/// Runs what blocks beside the async runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Panic(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_timeout_above_the_brokers_limit_names_both() {
        let mut config = JobConfig::new("job");
        config.transaction_timeout = Some(Duration::from_secs(120));
        let error = check_transaction_timeout(&config, Some(Duration::from_secs(60)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("120000 ms") && error.contains("60000 ms"),
            "{error}"
        );
        check_transaction_timeout(&config, None).unwrap();
    }
}
