//! What is done before a job's threads start: its cluster checked, its state directory locked, its stores opened.

use super::bounded::{Bound, Until};
use super::event::Listener;
use super::globals::Globals;
use super::instance::{Instance, absolute, default_state_directory, unusable};
use super::internal_topics;
use super::known_changelogs::KnownChangelogs;
use super::patience::Patience;
use super::startup::{self, blocking};
use super::stop::Stop;
use super::task_counts::TaskCounts;
use super::task_states::TaskStates;
use crate::kafka::admin::Admin;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::properties::Properties;
use crate::kafka::topic_ids::TopicIds;
use crate::state::{Backends, Disk};
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a job waits for its cluster, and for the leaders of its inputs: both may have been started at once, as on a
/// machine that boots.
const START_PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Prepared {
    pub(super) instance: Instance,
    pub(super) bound: Option<Bound>,
    pub(super) states: TaskStates,
    pub(super) tasks: TaskCounts,
    pub(super) globals: Option<Globals>,
    pub(super) topic_ids: TopicIds,
}

pub(super) async fn prepare(
    topology: &Topology,
    properties: &mut Properties,
    state_dir: Option<PathBuf>,
    until: Until,
    listener: &Listener,
    stop: &Arc<Stop>,
) -> Result<Prepared> {
    topology.check()?;
    let directory = state_dir.unwrap_or_else(|| default_state_directory(topology.application_id()));
    let (instance, directory) = blocking(move || {
        let directory = absolute(&directory)?;
        Ok((Instance::lock(&directory)?, directory))
    })
    .await?;
    properties.name_clients(format!("{}-{}", topology.application_id(), instance.id()));
    let report = startup::check(topology, properties, START_PATIENCE).await?;
    let (known, stores) = {
        let (topology, cluster) = (topology.clone(), report.cluster_id.clone());
        blocking(move || {
            let cluster = cluster.as_deref().unwrap_or("unnamed-cluster");
            let known = KnownChangelogs::read(&directory, topology.application_id(), cluster)?;
            Ok((known, open_stores(&topology, &directory, cluster)?))
        })
        .await?
    };
    let internal = internal_topics::verify(topology, properties, &report, &stores, &known).await?;
    internal_topics::create(properties, &internal.missing).await?;
    let threads = topology.config().stream_threads;
    let tasks = internal.tasks.all();
    if threads > tasks {
        tracing::warn!(
            "`stream_threads` is {threads}, but there are {tasks} tasks (one a partition, for each part of the topology): the other \
             threads have nothing to do"
        );
    }
    let mut limits = report.message_limits.clone();
    let own = internal.told.iter().map(|own| own.name.as_str());
    limits.extend(Admin::new(properties)?.message_limits(own).await);
    properties.limit_topics(limits);
    let topic_ids = {
        let (topology, properties, stop) = (topology.clone(), properties.clone(), Arc::clone(stop));
        blocking(move || topic_ids(&topology, &properties, &stop)).await?
    };
    known.check(&topic_ids)?;
    let (globals, stores) = {
        let (topology, properties) = (topology.clone(), properties.clone());
        let ids = topic_ids.clone();
        let (topics, listener, stop) = (report.topics.clone(), listener.clone(), Arc::clone(stop));
        let read = move || {
            let globals = Globals::read(
                &topology,
                &properties,
                &topics,
                &ids,
                &stores,
                listener,
                stop,
            )?;
            Ok((globals, stores))
        };
        blocking(read).await?
    };
    let bound = match until {
        Until::Stopped => None,
        Until::Latest => {
            let (properties, partitions) = (properties.clone(), report.source_partitions());
            let (repartitions, rounds) =
                (internal.repartitions, topology.repartition_topics().count());
            let stop = Arc::clone(stop);
            let capture = move || {
                let admin = Admin::new(&properties)?;
                let patience = Patience::new(START_PATIENCE, &stop);
                let bound = Bound::capture(&admin, &partitions, repartitions, rounds, patience)?;
                Ok(bound)
            };
            Some(blocking(capture).await?)
        }
    };
    {
        let (topology, existing, ids) = (topology.clone(), report.topics, topic_ids.clone());
        blocking(move || known.note(&topology, &existing, &ids)).await?;
    }
    Ok(Prepared {
        instance,
        bound,
        states: TaskStates::new(topology.clone(), stores),
        tasks: internal.tasks,
        globals,
        topic_ids,
    })
}

/// Which topics the job's own changelogs are, and those of its global tables. A broker may not know of one yet that was just
/// created.
fn topic_ids(topology: &Topology, properties: &Properties, stop: &Stop) -> Result<TopicIds> {
    let graph = topology.graph();
    let stores = graph.stores.iter().filter(|store| store.source.is_none());
    let changelogs = stores.map(|store| store.changelog_topic(topology.application_id()));
    let globals = graph.global_tables.iter().map(|table| table.topic.clone());
    let topics: BTreeSet<String> = changelogs.chain(globals).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let admin = Admin::new(properties)?;
    let ask = |wait| {
        let ids = admin.topic_ids(&topics, wait)?;
        let Some(gone) = ids.gone().next() else {
            return Ok(ids);
        };
        let what = format!("the cluster does not tell of the topic `{gone}`, which was there");
        let error = ClientError::new("starting", Code::UnknownTopicOrPartition, what);
        Err(error.with_remedy(Remedy::Retry))
    };
    Ok(Patience::new(START_PATIENCE, stop).repeat(ask)?)
}

/// Opens the database, if a store is to be on disk. Each cluster has its own, since offsets of one mean nothing on another.
fn open_stores(topology: &Topology, directory: &Path, cluster: &str) -> Result<Backends> {
    let backend = topology.config().state_backend;
    let graph = topology.graph();
    if !Backends::need_disk(&graph.stores, &graph.global_tables, backend) {
        return Ok(Backends::new(None, backend));
    }
    let path = directory
        .join("stores")
        .join(topology.application_id())
        .join(cluster);
    std::fs::create_dir_all(&path).map_err(|e| unusable(directory, "making", &path, e))?;
    let disk = Disk::open(&path).map_err(Error::State)?;
    Ok(Backends::new(Some(disk), backend))
}
