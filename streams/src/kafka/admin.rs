//! What the job asks of the cluster before and beside the records.

use super::TopicPartition;
use super::authorized::{self, Allowed};
use super::error::{ClientError, Remedy};
use super::lists;
use super::offsets::{LogEnd, list_offsets};
use super::properties::Properties;
use super::topic_ids::{TopicIds, topic_ids};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long topics are asked for of which the cluster cannot tell the partitions, such as one without a leader.
const UNTOLD_LIMIT: Duration = Duration::from_secs(3);

/// Between two questions for topics.
const PAUSE: Duration = Duration::from_millis(100);

/// A client for metadata, topics and broker settings.
pub(crate) struct Admin {
    client: AdminClient<Quiet>,
}

/// Sends librdkafka's log where the rest goes.
#[derive(Default)]
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        super::log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "admin client");
    }
}

impl Admin {
    pub(crate) fn new(properties: &Properties) -> Result<Self, ClientError> {
        use rdkafka::config::FromClientConfigAndContext as _;
        AdminClient::from_config_and_context(&properties.admin(), Quiet)
            .map(|client| Self { client })
            .map_err(|e| {
                ClientError::from_kafka("creating the admin client", &e).with_remedy(Remedy::Fail)
            })
    }

    /// The topics of the cluster, with their partition counts.
    ///
    /// Asks for all of them: asking for one by name can make a broker create it. A topic of which the cluster cannot tell
    /// its partitions now is asked for again, and left out if that lasts: it has some, so none would be wrong. What fails for
    /// the moment is tried again, until the time is over.
    pub(crate) fn topics(&self, timeout: Duration) -> Result<BTreeMap<String, i32>, ClientError> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let metadata = match self.client.inner().fetch_metadata(None, left) {
                Ok(metadata) => metadata,
                Err(error) => {
                    let error = ClientError::from_kafka("asking for topics", &error);
                    if error.remedy() != Remedy::Retry || start.elapsed() + PAUSE >= timeout {
                        return Err(error);
                    }
                    tracing::debug!(%error, "trying again");
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            let (told, untold): (Vec<_>, Vec<_>) = metadata
                .topics()
                .iter()
                .partition(|topic| topic.error().is_none());
            if !untold.is_empty() && start.elapsed() < UNTOLD_LIMIT {
                std::thread::sleep(PAUSE);
                continue;
            }
            for topic in untold {
                let error = topic.error().map(RDKafkaErrorCode::from);
                tracing::warn!(?error, "topic `{}` cannot be looked up", topic.name());
            }
            let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
            let counted = |t: &MetadataTopic| (t.name().to_owned(), count(t.partitions().len()));
            return Ok(told.into_iter().map(counted).collect());
        }
    }

    /// The groups of all brokers that this client may describe, of whatever kind.
    pub(crate) fn groups(&self, timeout: Duration) -> Result<Vec<String>, ClientError> {
        let doing = "asking for groups";
        let groups = self.client.inner().fetch_group_list(None, timeout);
        let groups = groups.map_err(|e| match ClientError::from_kafka(doing, &e) {
            // A broker has not answered in time.
            partial if partial.code() == RDKafkaErrorCode::Partial => {
                partial.with_remedy(Remedy::Retry)
            }
            error => error,
        })?;
        Ok(groups
            .groups()
            .iter()
            .map(|g| g.name().to_owned())
            .collect())
    }

    /// Where the logs of these partitions begin or end, in the order of the partitions.
    pub(crate) fn log_offsets(
        &self,
        partitions: &[TopicPartition],
        at: LogEnd,
        timeout: Duration,
    ) -> Result<Vec<i64>, ClientError> {
        list_offsets(self.client.inner(), partitions, at, timeout)
    }

    /// What the cluster calls itself; no other cluster has this id, nor has this one after it was made anew.
    pub(crate) fn cluster_id(&self, timeout: Duration) -> Option<String> {
        self.client.inner().fetch_cluster_id(timeout)
    }

    /// The ids of these topics.
    pub(crate) fn topic_ids(
        &self,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<TopicIds, ClientError> {
        topic_ids(self.client.inner(), topics, timeout).map_err(|why| {
            let code = RDKafkaErrorCode::OperationTimedOut;
            ClientError::new("asking for the ids of topics", code, why)
        })
    }

    /// What this client may do with each of these topics, as far as the cluster tells it.
    pub(crate) fn allowed_with_topics(
        &self,
        topics: &[&str],
        timeout: Duration,
    ) -> BTreeMap<String, Allowed> {
        authorized::with_topics(self.client.inner(), topics, timeout)
    }

    /// What this client may do with a group, if the cluster tells it.
    pub(crate) fn allowed_with_group(&self, group: &str, timeout: Duration) -> Option<Allowed> {
        authorized::with_group(self.client.inner(), group, timeout)
    }

    /// Creates a topic with the broker's default replication; one that exists is left as it is.
    pub(crate) async fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, String)],
    ) -> Result<(), ClientError> {
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        self.ask_for_topic(topic, partitions, settings, &options)
            .await
    }

    /// Asks whether a topic could be created so, and creates none.
    pub(crate) async fn try_topic(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, String)],
    ) -> Result<(), ClientError> {
        let options = AdminOptions::new().validate_only(true);
        self.ask_for_topic(topic, partitions, settings, &options)
            .await
    }

    async fn ask_for_topic(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, String)],
        options: &AdminOptions,
    ) -> Result<(), ClientError> {
        let doing = "creating a topic";
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let results = self
            .client
            .create_topics([&new], options)
            .await
            .map_err(|e| ClientError::from_kafka(doing, &e))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(ClientError::new(doing, code, format!("`{name}`: {code}")));
                }
            }
        }
        Ok(())
    }

    /// Deletes the records below these offsets.
    pub(crate) async fn delete_records(
        &self,
        before: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        let doing = "deleting records";
        let list = lists::of_offsets(before)?;
        let result = self
            .client
            .delete_records(&list, &AdminOptions::new())
            .await
            .map_err(|e| ClientError::from_kafka(doing, &e))?;
        lists::check(doing, &result)
    }

    /// The largest batch that each of these topics takes (`max.message.bytes`). A topic of which the cluster does not tell
    /// it, as to a client without DESCRIBE_CONFIGS, is left out.
    pub(crate) async fn message_limits(
        &self,
        topics: impl Iterator<Item = &str>,
    ) -> BTreeMap<String, usize> {
        let mut limits = BTreeMap::new();
        for topic in topics {
            let settings = self.topic_settings(topic).await.ok().flatten();
            let limit = settings.and_then(|s| s.get("max.message.bytes")?.parse().ok());
            if let Some(limit) = limit {
                limits.insert(topic.to_owned(), limit);
            }
        }
        limits
    }

    /// The settings of a topic; `None` if they are not told. The client does not say why: this user may not see them, or the
    /// broker cannot answer now.
    pub(crate) async fn topic_settings(
        &self,
        topic: &str,
    ) -> Result<Option<BTreeMap<String, String>>, ClientError> {
        let doing = "asking for a topic's settings";
        let resource = self
            .client
            .describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new())
            .await
            .map_err(|e| ClientError::from_kafka(doing, &e))?
            .into_iter()
            .next();
        match resource {
            Some(Ok(resource)) if resource.entries.is_empty() => Ok(None),
            Some(Ok(resource)) => {
                let set = resource.entries.into_iter();
                Ok(Some(set.filter_map(|e| Some((e.name, e.value?))).collect()))
            }
            Some(Err(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed,
            )) => Ok(None),
            Some(Err(code)) => Err(ClientError::new(
                doing,
                code,
                format!("topic `{topic}`: {code}"),
            )),
            None => Err(ClientError::new(
                doing,
                RDKafkaErrorCode::Fail,
                format!("topic `{topic}` was not answered"),
            )),
        }
    }

    /// The settings of a broker.
    pub(crate) async fn broker_settings(
        &self,
        broker: i32,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        let doing = "asking for the broker's settings";
        let results = self
            .client
            .describe_configs([&ResourceSpecifier::Broker(broker)], &AdminOptions::new())
            .await
            .map_err(|e| ClientError::from_kafka(doing, &e))?;
        let mut settings = BTreeMap::new();
        for result in results {
            let resource =
                result.map_err(|code| ClientError::new(doing, code, code.to_string()))?;
            settings.extend(
                resource
                    .entries
                    .into_iter()
                    .filter_map(|e| Some((e.name, e.value?))),
            );
        }
        Ok(settings)
    }
}

/// How many partitions a topic has, by any client.
pub(super) fn partition_count<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<i32, ClientError> {
    let doing = "asking for a topic's partitions";
    let metadata = client
        .fetch_metadata(Some(topic), timeout)
        .map_err(|e| ClientError::from_kafka(doing, &e))?;
    let found = metadata.topics().iter().find(|t| t.name() == topic);
    let unknown = || {
        ClientError::new(
            doing,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            format!("topic `{topic}` does not exist"),
        )
    };
    let found = found.ok_or_else(unknown)?;
    if let Some(code) = found.error() {
        let code: RDKafkaErrorCode = code.into();
        return Err(ClientError::new(
            doing,
            code,
            format!("topic `{topic}`: {code}"),
        ));
    }
    i32::try_from(found.partitions().len())
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(unknown)
}
