//! The topics that belong to the job itself: how many partitions they have, whether they are as they have to be, and
//! their creation.
//!
//! Names, partition counts and settings are those of Kafka Streams
//! (`org.apache.kafka.streams.processor.internals.{RepartitionTopics, ChangelogTopics, InternalTopicConfig}`).

use super::changelog_settings;
use super::known_changelogs::KnownChangelogs;
use super::orphans::Orphans;
use super::partition_counts::Counts;
use super::source_changelogs;
use super::startup::{ClusterReport, blocking};
use super::task_counts::TaskCounts;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::error::{ClientError, Remedy};
use crate::kafka::properties::Properties;
use crate::kafka::reader::PartitionReader;
use crate::state::Backends;
use crate::topology::{RepartitionId, Topology};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For metadata of the cluster.
const METADATA_TIMEOUT: Duration = Duration::from_secs(15);

/// For the offsets of the job's group: a transaction of an instance that died may hold them back.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(60);

/// The pause after a question that may be answered a little later.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long a topic that was created may take to be known to the cluster.
const CREATION_TIMEOUT: Duration = Duration::from_secs(30);

/// A topic of the job's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InternalTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) purpose: Purpose,
    settings: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Repartition,
    /// Of the store of this name.
    Changelog(String),
}

/// What a job has of its own on the cluster.
pub(crate) struct Verified {
    /// All of them, for people.
    pub(crate) told: Vec<OwnTopic>,
    /// To be created.
    pub(crate) missing: Vec<InternalTopic>,
    /// The partitions of its repartition topics.
    pub(crate) repartitions: Vec<TopicPartition>,
    /// How many tasks there are to do.
    pub(crate) tasks: TaskCounts,
}

/// A topic of the job's own, as [`Job::check`](super::Job::check) tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTopic {
    /// `<application_id>-<name>-repartition` or `<application_id>-<store>-changelog`.
    pub name: String,
    /// How many partitions it has, or will have.
    pub partitions: i32,
    /// Whether it is there; if not, the job creates it at its start.
    pub exists: bool,
}

/// The internal topics of a topology, given the partition counts of the topics that exist.
fn plan(topology: &Topology, existing: &BTreeMap<String, i32>) -> Result<Vec<InternalTopic>> {
    let counts = Counts::new(topology, existing)?;
    let graph = topology.graph();
    let mut topics = Vec::new();
    for (id, repartition) in graph.repartitions.iter().enumerate() {
        topics.push(InternalTopic {
            name: repartition.topic(topology.application_id()),
            partitions: counts.repartition(RepartitionId(id))?,
            purpose: Purpose::Repartition,
            settings: vec![
                ("cleanup.policy", "delete".to_owned()),
                // Records are deleted behind the commit, never by age.
                ("retention.ms", "-1".to_owned()),
                ("segment.bytes", "52428800".to_owned()),
                ("message.timestamp.type", "CreateTime".to_owned()),
            ],
        });
    }
    for sub in topology.sub_topologies() {
        let stores = sub.stores.iter().filter_map(|id| graph.stores.get(id.0));
        for store in stores.filter(|store| store.source.is_none()) {
            let mut settings = store.kind.changelog_settings();
            settings.push(("message.timestamp.type", "CreateTime".to_owned()));
            topics.push(InternalTopic {
                name: store.changelog_topic(topology.application_id()),
                partitions: counts.tasks(sub)?,
                purpose: Purpose::Changelog(store.name.clone()),
                settings,
            });
        }
    }
    Ok(topics)
}

/// The names of those that are there, however many partitions they have.
pub(crate) fn existing(topology: &Topology, report: &ClusterReport) -> Result<Vec<String>> {
    let names = plan(topology, &report.topics)?.into_iter().map(|t| t.name);
    Ok(names
        .filter(|name| report.topics.contains_key(name))
        .collect())
}

/// The topics of a plan that are not there.
fn missing<'p>(
    plan: &'p [InternalTopic],
    existing: &BTreeMap<String, i32>,
) -> Vec<&'p InternalTopic> {
    plan.iter()
        .filter(|topic| !existing.contains_key(&topic.name))
        .collect()
}

/// Whether the topics that are there have as many partitions as they need.
fn check_partitions(plan: &[InternalTopic], existing: &BTreeMap<String, i32>) -> Result<()> {
    for topic in plan {
        match existing.get(&topic.name) {
            Some(found) if *found != topic.partitions => {
                return Err(Error::Cluster(format!(
                    "the internal topic `{}` has {found} partitions where {} are needed, one for each task. If `repartition_to` \
                     says another number than before, write the one it had; if partitions were added to a source topic, reset \
                     the application, which makes its state anew: delete its internal topics, the offsets of its group, and \
                     its state directories",
                    topic.name, topic.partitions
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks the job's own topics, as far as they are there, and tells which ones are to be created.
///
/// A topic that is missing is no error by itself: an upgrade may need a new one. It is one where this instance has had
/// it, and where another topic of the job belongs to nothing any more: what is kept was renamed, and would be lost.
pub(crate) async fn verify(
    topology: &Topology,
    properties: &Properties,
    report: &ClusterReport,
    stores: &Backends,
    known: &KnownChangelogs,
) -> Result<Verified> {
    if let Some(error) = source_changelogs::turned_off(topology, stores) {
        return Err(error);
    }
    let existing = &report.topics;
    let plan = plan(topology, existing)?;
    check_partitions(&plan, existing)?;
    let missing = missing(&plan, existing);
    if let Some(error) = missing.iter().find_map(|topic| vanished(topic, known)) {
        return Err(error);
    }
    changelog_settings::check(topology, properties, existing).await?;
    let orphans = || Orphans::find(topology.application_id(), properties, &plan, existing);
    match missing.first() {
        None => orphans().await?.warn(),
        Some(new) => {
            let processed = processed(topology, properties, report).await?;
            let has_run = !processed.is_empty();
            if has_run && let Some(error) = orphans().await?.renamed(&new.name) {
                return Err(error);
            }
            if let Some(error) =
                source_changelogs::without_changelog(topology, &missing, &processed)
            {
                return Err(error);
            }
            for topic in missing.iter().filter(|_| has_run) {
                tracing::warn!(
                    "the job has run before, without the internal topic `{}`: what it keeps begins with the records that come now",
                    topic.name
                );
            }
        }
    }
    let repartitions = plan.iter().filter(|t| t.purpose == Purpose::Repartition);
    let told = |topic: &InternalTopic| OwnTopic {
        name: topic.name.clone(),
        partitions: topic.partitions,
        exists: existing.contains_key(&topic.name),
    };
    Ok(Verified {
        told: plan.iter().map(told).collect(),
        missing: missing.into_iter().cloned().collect(),
        repartitions: repartitions.flat_map(InternalTopic::partitions).collect(),
        tasks: TaskCounts::new(topology, &Counts::new(topology, existing)?),
    })
}

impl InternalTopic {
    fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        (0..self.partitions).map(|partition| TopicPartition::new(self.name.as_str(), partition))
    }
}

fn vanished(topic: &InternalTopic, known: &KnownChangelogs) -> Option<Error> {
    let Purpose::Changelog(store) = &topic.purpose else {
        return None;
    };
    known.has(&topic.name).then(|| {
        Error::Cluster(format!(
            "the changelog topic `{}` is gone, but this instance has kept the state store `{store}` there, which nobody could \
             restore any more. Bring the topic back; or reset the application, which makes its state anew: delete its internal \
             topics, the offsets of its group, and its state directories, of which this one, {}, remembers the topic",
            topic.name,
            known.directory().display()
        ))
    })
}

/// The topics that the group has committed offsets for; asked only where it matters.
async fn processed(
    topology: &Topology,
    properties: &Properties,
    report: &ClusterReport,
) -> Result<BTreeSet<Arc<str>>> {
    let (properties, group) = (properties.clone(), topology.application_id().to_owned());
    let partitions = report.source_partitions();
    blocking(move || {
        let reader = PartitionReader::new(&properties, &group)?;
        let deadline = Instant::now() + COMMITTED_TIMEOUT;
        loop {
            match reader.committed(&partitions, COMMITTED_TIMEOUT) {
                // A cluster that has just started has no coordinator yet.
                Err(error) if error.remedy() == Remedy::Retry && Instant::now() < deadline => {
                    std::thread::sleep(RETRY_PAUSE);
                }
                committed => {
                    let topics = committed?.into_iter().map(|(partition, _)| partition.topic);
                    return Ok(topics.collect());
                }
            }
        }
    })
    .await
}

/// Asks whether topics could be created: by this client, under the cluster's rules.
pub(crate) async fn try_creation(properties: &Properties, topics: &[InternalTopic]) -> Result<()> {
    if topics.is_empty() {
        return Ok(());
    }
    let admin = Admin::new(properties)?;
    for topic in topics {
        admin
            .try_topic(&topic.name, topic.partitions, &topic.settings)
            .await?;
    }
    Ok(())
}

/// Creates topics and waits until the cluster knows them. Another instance may do so at the same time.
pub(crate) async fn create(properties: &Properties, topics: &[InternalTopic]) -> Result<()> {
    if topics.is_empty() {
        return Ok(());
    }
    let admin = Arc::new(Admin::new(properties)?);
    let deadline = Instant::now() + CREATION_TIMEOUT;
    let mut missing: Vec<&InternalTopic> = topics.iter().collect();
    loop {
        let failed = ask_for(&admin, &missing).await?;
        let (known, unanswered) = known(&admin).await?;
        missing.retain(|topic| {
            let is_known = known.contains_key(&topic.name);
            if is_known {
                let (name, partitions) = (&topic.name, topic.partitions);
                tracing::info!("created the internal topic `{name}` with {partitions} partitions");
            }
            !is_known
        });
        let Some(topic) = missing.first() else {
            return Ok(());
        };
        if Instant::now() > deadline {
            return Err(failed.or(unanswered).map_or_else(
                || {
                    Error::Cluster(format!(
                        "the internal topic `{}` was created, but the cluster does not tell of it",
                        topic.name
                    ))
                },
                Error::from,
            ));
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Asks for the topics to be created; what fails for a while is given, as it may succeed a little later. One that is there
/// is what was wanted.
async fn ask_for(admin: &Admin, topics: &[&InternalTopic]) -> Result<Option<ClientError>> {
    for topic in topics {
        let created = admin
            .create_topic(&topic.name, topic.partitions, &topic.settings)
            .await;
        match created {
            Err(error) if error.remedy() == Remedy::Retry => {
                tracing::debug!(%error, "trying again");
                return Ok(Some(error));
            }
            created => created?,
        }
    }
    Ok(None)
}

/// The topics that the cluster tells; none where it is not to be had for a while, and why.
async fn known(admin: &Arc<Admin>) -> Result<(BTreeMap<String, i32>, Option<ClientError>)> {
    let admin = Arc::clone(admin);
    blocking(move || match admin.topics(METADATA_TIMEOUT) {
        Err(error) if error.remedy() == Remedy::Retry => {
            tracing::debug!(%error, "trying again");
            Ok((BTreeMap::new(), Some(error)))
        }
        topics => Ok((topics?, None)),
    })
    .await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    fn existing(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
        topics.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect()
    }

    fn by_length() -> Topology {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<Option<String>, String>("words");
        let counts = words.group_by(|_, word| word.len() as i64).count();
        counts.named("by-length").to_stream().to("out");
        builder.build()
    }

    #[test]
    fn a_repartition_topic_has_as_many_partitions_as_the_sources_of_what_writes_it() {
        let plan = plan(&by_length(), &existing(&[("words", 3), ("out", 1)])).unwrap();
        let counts: Vec<(&str, i32)> = plan.iter().map(|t| (&*t.name, t.partitions)).collect();
        assert_eq!(
            counts,
            [
                ("app-by-length-repartition", 3),
                ("app-by-length-changelog", 3)
            ]
        );
    }

    #[test]
    fn a_changelog_has_a_partition_for_each_task() {
        let builder = TopologyBuilder::new("app");
        let left = builder.stream::<str, str>("left");
        let both = left.merge(&builder.stream("right"));
        both.group_by_key().count().named("c").to_stream().to("out");
        let topology = builder.build();
        let topics = plan(&topology, &existing(&[("left", 5), ("right", 5)])).unwrap();
        assert_eq!(topics.first().map(|t| t.partitions), Some(5));
        // The partitions of one task would go to two members.
        let uneven = existing(&[("left", 2), ("right", 5)]);
        let error = plan(&topology, &uneven)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`left` has 2 partitions and `right` has 5")
                && error.contains("`c`")
                && error.contains("repartition"),
            "{error}"
        );
    }

    #[test]
    fn a_repartition_topic_has_as_many_partitions_as_what_is_merged_with_it() {
        let builder = TopologyBuilder::new("app");
        let left = builder.stream::<Option<String>, String>("left");
        let by_length = left.select_key(|_, v| v.len() as i64).repartition();
        let both = by_length.merge(&builder.stream("right"));
        both.group_by_key().count().named("c").to_stream().to("out");
        let topics = plan(&builder.build(), &existing(&[("left", 2), ("right", 5)])).unwrap();
        assert_eq!(
            topics.iter().map(|t| t.partitions).collect::<Vec<_>>(),
            [5, 5]
        );
    }

    #[test]
    fn a_number_that_was_asked_for_is_not_changed_in_silence() {
        let builder = TopologyBuilder::new("app");
        let left = builder.stream::<Option<String>, String>("left");
        let by_length = left
            .select_key(|_, v| v.len() as i64)
            .repartition_to(std::num::NonZero::new(3).unwrap());
        let both = by_length.merge(&builder.stream("right"));
        both.group_by_key().count().named("c").to_stream().to("out");
        let topics = existing(&[("left", 2), ("right", 5)]);
        let error = plan(&builder.build(), &topics).map(|_| ()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("has 3 partitions and `right` has 5"),
            "{error}"
        );
    }

    #[test]
    fn the_changelog_of_versions_is_compacted_behind_their_history() {
        let builder = TopologyBuilder::new("app");
        let table = builder.table::<str, String>("in").named("kept");
        table
            .versioned(Duration::from_secs(1))
            .to_stream()
            .to("out");
        let plan = plan(&builder.build(), &existing(&[("in", 1)])).unwrap();
        let lag = ("min.compaction.lag.ms", "86401000".to_owned());
        assert!(plan.iter().any(|topic| topic.settings.contains(&lag)));
    }

    #[test]
    fn a_topic_of_another_size_is_an_error_that_names_it() {
        let mut topics = existing(&[("words", 3), ("app-by-length-changelog", 2)]);
        let plan = plan(&by_length(), &topics).unwrap();
        let error = check_partitions(&plan, &topics).unwrap_err().to_string();
        assert!(
            error.contains("`app-by-length-changelog` has 2 partitions where 3 are needed"),
            "{error}"
        );
        topics.insert("app-by-length-changelog".to_owned(), 3);
        check_partitions(&plan, &topics).unwrap();
    }

    #[test]
    fn what_is_not_there_yet_is_missing() {
        let topics = existing(&[("words", 3), ("app-by-length-changelog", 3)]);
        let plan = plan(&by_length(), &topics).unwrap();
        let missing: Vec<_> = missing(&plan, &topics).iter().map(|t| &*t.name).collect();
        assert_eq!(missing, ["app-by-length-repartition"]);
    }
}
