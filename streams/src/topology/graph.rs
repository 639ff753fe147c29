//! The graph that runs, and the topology that a user holds.

use super::check::{self, topic_name};
use super::internal_names::check_internal_topics;
use super::sub_topology::SubTopology;
use super::{CopartitionGroup, Description, GlobalTable, NodeSpec, RepartitionSpec, TopicRef};
use crate::config::JobConfig;
use crate::processor::{HeaderUse, ProcessorSpec, Source, SourceId};
use crate::state::StoreSpec;
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A source topic and all that read it.
#[derive(Clone)]
pub(crate) struct SourceTopicReaders {
    pub(crate) topic: TopicRef,
    /// What it is called on the cluster.
    pub(crate) name: String,
    pub(crate) readers: Arc<[Box<dyn Source>]>,
    /// [`HeaderUse::Ignore`] if none of them wants the headers.
    pub(crate) headers: HeaderUse,
}

impl From<(TopicRef, Vec<Box<dyn Source>>)> for SourceTopicReaders {
    fn from((topic, readers): (TopicRef, Vec<Box<dyn Source>>)) -> Self {
        let mut uses = readers.iter().map(|reader| reader.headers());
        let headers = match uses.any(|used| used == HeaderUse::Keep) {
            true => HeaderUse::Keep,
            false => HeaderUse::Ignore,
        };
        Self {
            topic,
            name: String::new(),
            readers: readers.into(),
            headers,
        }
    }
}

/// A topic that is written to.
#[derive(Clone)]
pub(crate) struct SinkTopic {
    pub(crate) topic: TopicRef,
    /// What it is called on the cluster.
    pub(crate) name: String,
}

impl From<TopicRef> for SinkTopic {
    fn from(topic: TopicRef) -> Self {
        Self {
            topic,
            name: String::new(),
        }
    }
}

/// The graph: linked once, shared by all tasks and threads, and never changed.
#[derive(Clone)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) topics: Vec<SourceTopicReaders>,
    pub(crate) sink_topics: Vec<SinkTopic>,
    pub(crate) processors: Arc<[ProcessorSpec]>,
    pub(crate) stores: Vec<StoreSpec>,
    /// The slots of kept tables, none before one that leads to it.
    pub(crate) kept_in_flow: Vec<usize>,
    pub(crate) repartitions: Vec<RepartitionSpec>,
    /// Topics that need equal numbers of partitions, group by group.
    pub(crate) copartitioned: Vec<CopartitionGroup>,
    pub(crate) global_tables: Vec<GlobalTable>,
    pub(crate) sub_topologies: Vec<SubTopology>,
    /// What is wrong with it.
    pub(crate) errors: Vec<String>,
}

impl Graph {
    /// Names the topics as they are called on the cluster: those of the topology itself begin with the application's id.
    fn name_topics(&mut self, application_id: &str) {
        let repartitions = &self.repartitions;
        let name = |topic: &TopicRef| match topic {
            TopicRef::External(name) => name.clone(),
            TopicRef::Repartition(id) => repartitions
                .get(id.0)
                .map(|r| r.topic(application_id))
                .unwrap_or_default(),
        };
        for topic in &mut self.topics {
            topic.name = name(&topic.topic);
        }
        for topic in &mut self.sink_topics {
            topic.name = name(&topic.topic);
        }
    }

    /// Whether a record may be written to a topic that it has chosen.
    pub(crate) fn check_chosen_topic(&self, topic: &str) -> Result<(), String> {
        topic_name(topic)?;
        match self.topics.iter().any(|t| t.name == topic) {
            true => Err(format!(
                "a record chose `{topic}`, which the topology reads: it would go round in a loop"
            )),
            false => Ok(()),
        }
    }
}

/// A topology: a value that can be described, tested and run. Cheap to clone.
#[derive(Clone)]
pub struct Topology {
    graph: Arc<Graph>,
    config: Arc<JobConfig>,
}

impl Topology {
    pub(crate) fn new(mut graph: Graph, config: Arc<JobConfig>) -> Self {
        graph.name_topics(&config.application_id);
        let graph = Arc::new(graph);
        Self { graph, config }
    }

    /// The application's id: the consumer group, and the prefix of what belongs to the job.
    pub fn application_id(&self) -> &str {
        &self.config.application_id
    }

    /// How the job runs.
    pub fn config(&self) -> &JobConfig {
        &self.config
    }

    /// The same topology under another configuration: for a deployment that overrides what the author chose.
    #[must_use]
    pub fn with_config(self, config: JobConfig) -> Self {
        if config.application_id == self.config.application_id {
            return Self {
                config: Arc::new(config),
                ..self
            };
        }
        Self::new(Arc::unwrap_or_clone(self.graph), Arc::new(config))
    }

    /// Tells all that is wrong with the topology and its configuration, before anything is contacted.
    pub fn check(&self) -> Result<()> {
        let mut errors = self.graph.errors.clone();
        errors.extend(check::check_dead_letters(&self.graph, &self.config));
        let application_id = self.application_id();
        errors.extend(check_internal_topics(&self.graph, application_id));
        if !errors.is_empty() {
            return Err(Error::Topology(errors.join("\n")));
        }
        self.config
            .validate()
            .map_err(|errors| Error::Configuration(errors.join("\n")))
    }

    /// What the topology consists of, for people and machines.
    pub fn describe(&self) -> Description {
        Description::new(self)
    }

    /// The topics that it reads, but for its own repartition topics.
    pub fn source_topics(&self) -> impl Iterator<Item = &str> {
        let external = |t: &&SourceTopicReaders| matches!(t.topic, TopicRef::External(_));
        self.graph
            .topics
            .iter()
            .filter(external)
            .map(|t| t.name.as_str())
    }

    /// The topics of its global tables, which each process reads whole, outside of the consumer group.
    pub fn global_topics(&self) -> impl Iterator<Item = &str> {
        self.graph.global_tables.iter().map(|t| t.topic.as_str())
    }

    /// The topics that it writes to, but for those that records choose and its own repartition topics.
    pub fn sink_topics(&self) -> impl Iterator<Item = &str> {
        let external = |t: &&SinkTopic| matches!(t.topic, TopicRef::External(_));
        self.graph
            .sink_topics
            .iter()
            .filter(external)
            .map(|t| t.name.as_str())
    }

    /// All topics that it reads, its own repartition topics among them.
    pub(crate) fn consumed_topics(&self) -> impl Iterator<Item = &str> {
        self.graph.topics.iter().map(|t| t.name.as_str())
    }

    /// Its own repartition topics.
    pub(crate) fn repartition_topics(&self) -> impl Iterator<Item = &str> {
        let own = |t: &&SourceTopicReaders| matches!(t.topic, TopicRef::Repartition(_));
        self.graph
            .topics
            .iter()
            .filter(own)
            .map(|t| t.name.as_str())
    }

    pub(crate) fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub(crate) fn sub_topologies(&self) -> &[SubTopology] {
        &self.graph.sub_topologies
    }

    /// Where a topic's records enter: the sub-topology, and the source in it.
    pub(crate) fn source_of(&self, topic: &str) -> Option<(usize, SourceId)> {
        self.sub_topologies().iter().find_map(|sub| {
            let reads = |source: &&SourceId| {
                let read = self.graph.topics.get(source.0);
                read.is_some_and(|read| read.name == topic)
            };
            Some((sub.id, *sub.sources.iter().find(reads)?))
        })
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Topology;

    #[test]
    fn a_topology_can_be_cloned_and_shared_between_threads() {
        fn shared<T: Clone + Send + Sync>() {}
        shared::<Topology>();
    }
}
