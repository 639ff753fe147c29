//! Where a topology is drafted.

use super::graph::{Graph, SourceTopicReaders, Topology};
use super::{Kind, NodeId, NodeSpec, check, names, sub_topology};
use crate::config::{ErrorPolicy, Guarantee, JobConfig, OffsetReset};
use crate::processor::Source;
use std::any::Any;
use std::cell::{RefCell, RefMut};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Makes the reader of a source, and with it all that follows.
pub(crate) type LinkSource = Box<dyn FnOnce() -> Box<dyn Source>>;
/// Makes a task's own instance of a processor.
pub(crate) type Supplier = Box<dyn Fn() -> Box<dyn Any + Send> + Send + Sync>;

/// A graph that is being drafted: what `#[topology]` expands to, and what builds topologies that are only known at run
/// time. A cheap handle; clones draft the same graph.
///
/// ```
/// use streams::prelude::*;
///
/// let builder = TopologyBuilder::new("shout");
/// builder.stream::<Keyless, str>("words").map_values(|word| word.to_uppercase()).to("loud-words");
/// let topology = builder.build();
/// topology.check()?;
/// # Ok::<(), streams::Error>(())
/// ```
#[derive(Clone)]
pub struct TopologyBuilder(Rc<RefCell<Draft>>);

struct Draft {
    config: JobConfig,
    nodes: Vec<NodeSpec>,
    scopes: Vec<String>,
    sources: Vec<(String, LinkSource)>,
    sink_topics: Vec<String>,
    suppliers: Vec<Supplier>,
    errors: Vec<String>,
    built: bool,
}

/// While it lives, operators are called after its name. See [`TopologyBuilder::name_scope`].
#[must_use = "the name holds for as long as the scope lives"]
pub struct NameScope(TopologyBuilder);

impl Drop for NameScope {
    fn drop(&mut self) {
        self.0.draft().scopes.pop();
    }
}

/// What the job's configuration says, as far as the topology's author decides it. See [`JobConfig`].
impl TopologyBuilder {
    /// A draft of the topology of this application.
    pub fn new(application_id: &str) -> Self {
        Self(Rc::new(RefCell::new(Draft {
            config: JobConfig::new(application_id),
            nodes: Vec::new(),
            scopes: Vec::new(),
            sources: Vec::new(),
            sink_topics: Vec::new(),
            suppliers: Vec::new(),
            errors: Vec::new(),
            built: false,
        })))
    }

    /// The delivery guarantee.
    pub fn guarantee(&self, guarantee: Guarantee) {
        self.draft().config.guarantee = guarantee;
    }

    /// How often a checkpoint is taken.
    pub fn checkpoint_interval(&self, interval: Duration) {
        self.draft().config.checkpoint_interval = Some(interval);
    }

    /// What the producers' transactional ids begin with.
    pub fn transactional_id_prefix(&self, prefix: &str) {
        self.draft().config.transactional_id_prefix = Some(prefix.to_owned());
    }

    /// After what time the broker aborts a transaction.
    pub fn transaction_timeout(&self, timeout: Duration) {
        self.draft().config.transaction_timeout = Some(timeout);
    }

    /// The longest transaction timeout that the brokers allow (`transaction.max.timeout.ms`).
    pub fn broker_transaction_max_timeout(&self, timeout: Duration) {
        self.draft().config.broker_transaction_max_timeout = Some(timeout);
    }

    /// The number of stream threads.
    pub fn stream_threads(&self, threads: usize) {
        self.draft().config.stream_threads = threads;
    }

    /// Where a partition without a committed offset begins.
    pub fn offset_reset(&self, reset: OffsetReset) {
        self.draft().config.offset_reset = reset;
    }

    /// What becomes of a record that cannot be read.
    pub fn on_deserialize_error(&self, policy: ErrorPolicy) {
        self.draft().config.on_error.deserialize = policy;
    }

    /// What becomes of a record that user code fails on.
    pub fn on_process_error(&self, policy: ErrorPolicy) {
        self.draft().config.on_error.process = policy;
    }

    /// What becomes of a record whose outputs cannot be written.
    pub fn on_produce_error(&self, policy: ErrorPolicy) {
        self.draft().config.on_error.produce = policy;
    }
}

impl TopologyBuilder {
    /// Calls the operators that are added while the scope lives after `name`; scopes nest, and the innermost counts.
    ///
    /// `#[topology]` opens one for every `let`.
    pub fn name_scope(&self, name: &str) -> NameScope {
        self.draft().scopes.push(name.to_owned());
        NameScope(self.clone())
    }

    /// Links the graph, once: what is added later is no part of it. What is wrong with it, [`Topology::check`] tells.
    #[track_caller]
    pub fn build(&self) -> Topology {
        let at = Location::caller();
        let sources = std::mem::take(&mut self.draft().sources);
        // Nothing of the draft is borrowed while links run: they belong to the user's operators.
        let mut topics: Vec<SourceTopicReaders> = Vec::new();
        for (topic, link) in sources {
            let reader = link();
            match topics.iter_mut().find(|t| t.name == topic) {
                Some(known) => known.readers.push(reader),
                None => topics.push(SourceTopicReaders {
                    name: topic,
                    readers: vec![reader],
                }),
            }
        }
        let mut draft = self.draft();
        if std::mem::replace(&mut draft.built, true) {
            draft.errors.push(format!(
                "{at}: this builder has built its topology already; a topology can be cloned"
            ));
        }
        let mut nodes = draft.nodes.clone();
        let mut errors = draft.errors.clone();
        errors.extend(names::name_nodes(&mut nodes));
        errors.extend(check::check(&nodes));
        let sub_topologies = sub_topology::split(&nodes, &topics);
        let suppliers = std::mem::take(&mut draft.suppliers);
        let sink_topics = draft.sink_topics.clone();
        let graph = Graph {
            nodes,
            topics,
            sink_topics,
            suppliers,
            sub_topologies,
            errors,
        };
        Topology::new(Arc::new(graph), Arc::new(draft.config.clone()))
    }

    fn draft(&self) -> RefMut<'_, Draft> {
        self.0.borrow_mut()
    }

    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn add(&self, mut node: NodeSpec) -> NodeId {
        let mut draft = self.draft();
        node.scope = match draft.scopes.last() {
            Some(scope) => scope.clone(),
            None => draft.config.application_id.clone(),
        };
        draft.nodes.push(node);
        NodeId(draft.nodes.len() - 1)
    }

    pub(crate) fn add_source(
        &self,
        topic: &str,
        at: &'static Location<'static>,
        link: LinkSource,
    ) -> NodeId {
        self.draft().sources.push((topic.to_owned(), link));
        self.add(NodeSpec::new(Kind::Source(topic.to_owned()), &[], at))
    }

    /// The number of a topic that is written to.
    pub(crate) fn sink_topic(&self, topic: &str) -> usize {
        let topics = &mut self.draft().sink_topics;
        topics.iter().position(|t| t == topic).unwrap_or_else(|| {
            topics.push(topic.to_owned());
            topics.len() - 1
        })
    }

    /// The slot of a processor's instances.
    pub(crate) fn add_supplier(&self, supplier: Supplier) -> usize {
        let suppliers = &mut self.draft().suppliers;
        suppliers.push(supplier);
        suppliers.len() - 1
    }

    pub(crate) fn add_error(&self, error: String) {
        self.draft().errors.push(error);
    }

    pub(crate) fn rename(&self, node: NodeId, name: &str) {
        if let Some(node) = self.draft().nodes.get_mut(node.0) {
            node.explicit = Some(name.to_owned());
        }
    }
}
