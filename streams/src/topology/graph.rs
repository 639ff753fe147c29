//! The graph that runs, and the topology that a user holds.

use super::builder::Supplier;
use super::check::{self, topic_name};
use super::sub_topology::SubTopology;
use super::{Description, NodeSpec};
use crate::config::JobConfig;
use crate::processor::{Source, SourceId};
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A source topic and all that read it.
pub(crate) struct SourceTopicReaders {
    pub(crate) name: String,
    pub(crate) readers: Vec<Box<dyn Source>>,
}

/// The graph: linked once, shared by all tasks and threads, and never changed.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) topics: Vec<SourceTopicReaders>,
    pub(crate) sink_topics: Vec<String>,
    pub(crate) suppliers: Vec<Supplier>,
    pub(crate) sub_topologies: Vec<SubTopology>,
    /// What is wrong with it.
    pub(crate) errors: Vec<String>,
}

impl Graph {
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
    pub(crate) fn new(graph: Arc<Graph>, config: Arc<JobConfig>) -> Self {
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
        Self {
            config: Arc::new(config),
            ..self
        }
    }

    /// Tells all that is wrong with the topology and its configuration, before anything is contacted.
    pub fn check(&self) -> Result<()> {
        let mut errors = self.graph.errors.clone();
        errors.extend(check::check_dead_letters(&self.graph, &self.config));
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

    /// The topics that it reads.
    pub fn source_topics(&self) -> impl Iterator<Item = &str> {
        self.graph.topics.iter().map(|t| t.name.as_str())
    }

    /// The topics that it writes to, but for those that records choose.
    pub fn sink_topics(&self) -> impl Iterator<Item = &str> {
        self.graph.sink_topics.iter().map(String::as_str)
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
            let source = sub.sources.iter().find(|s| s.topic == topic)?;
            Some((sub.id, source.source))
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
