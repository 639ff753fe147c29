//! Where a topology is drafted.

use super::copartition::{self, Copartition};
use super::graph::{Graph, SourceTopicReaders, Topology};
use super::internal::{RepartitionId, RepartitionSpec, TopicRef};
use super::{GlobalTable, Kind, NodeId, NodeSpec, check, names, null_keys, sub_topology};
use crate::config::{
    ErrorPolicy, Guarantee, JobConfig, OffsetReset, StateBackend, TopologyOptimization,
};
use crate::processor::{GlobalReader, ProcessorSpec, Source};
use crate::state::{GlobalId, Owner, SourceChangelog, StoreId, StoreKind, StoreSpec};
use std::cell::{RefCell, RefMut};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Makes the reader of a source, and with it all that follows.
pub(crate) type LinkSource = Box<dyn FnOnce() -> Box<dyn Source>>;
/// Links what no source leads to.
pub(crate) type Link = Box<dyn FnOnce()>;
/// Makes what a task needs of a user's processor.
pub(crate) type LinkProcessor = Box<dyn FnOnce() -> ProcessorSpec>;

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
    optimization: TopologyOptimization,
    nodes: Vec<NodeSpec>,
    scopes: Vec<String>,
    sources: Vec<(TopicRef, LinkSource)>,
    sink_topics: Vec<TopicRef>,
    links: Vec<Link>,
    processors: Vec<LinkProcessor>,
    stores: Vec<StoreSpec>,
    repartitions: Vec<RepartitionSpec>,
    copartitions: Vec<Copartition>,
    take_null_keys: Vec<NodeId>,
    global_tables: Vec<GlobalTable>,
    errors: Vec<String>,
    built: bool,
}

impl Draft {
    /// What an operator that is added now is called after.
    fn scope(&self) -> String {
        match self.scopes.last() {
            Some(scope) => scope.clone(),
            None => self.config.application_id.clone(),
        }
    }
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
            optimization: TopologyOptimization::default(),
            nodes: Vec::new(),
            scopes: Vec::new(),
            sources: Vec::new(),
            sink_topics: Vec::new(),
            links: Vec::new(),
            processors: Vec::new(),
            stores: Vec::new(),
            repartitions: Vec::new(),
            copartitions: Vec::new(),
            take_null_keys: Vec::new(),
            global_tables: Vec::new(),
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

    /// Where stores are kept that do not say it themselves ([`KTable::state_backend`](crate::KTable::state_backend)).
    pub fn state_backend(&self, backend: StateBackend) {
        self.draft().config.state_backend = backend;
    }

    /// How many bytes a process holds of updates of tables, so that they are sent on once a checkpoint, and not one by one.
    pub fn statestore_cache_max_bytes(&self, bytes: usize) {
        self.draft().config.statestore_cache_max_bytes = bytes;
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
    /// Which parts of the graph are built so that less goes through Kafka: to be said before the first operator, since it
    /// holds for the whole topology.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.topology_optimization(TopologyOptimization::MergeRepartitionTopics);
    /// let words = builder.stream::<Keyless, String>("words");
    /// let by_length = words.select_key(|_, word| word.len() as u64);
    /// by_length.group_by_key().count().named("counts").to_stream().to("counts");
    /// by_length.to_table().named("newest").to_stream().to("newest");
    ///
    /// let description = builder.build().describe().to_string();
    /// assert_eq!(description.matches("Sink: app-repartition-sink").count(), 1);
    /// assert!(description.contains("app-counts-repartition"));
    /// # Ok::<(), streams::Error>(())
    /// ```
    ///
    /// A job that has run with another optimization has other internal topics: what is in a repartition topic that is read no
    /// more is lost to it, and a table that gets a changelog of its own would begin with the records that come then (which is
    /// refused where the table is on disk). So merge repartition topics only when the job has processed all of its input, and
    /// reset the application to turn an optimization off.
    #[track_caller]
    pub fn topology_optimization(&self, optimization: TopologyOptimization) {
        let mut draft = self.draft();
        if let Some(first) = draft.nodes.first() {
            let (at, first) = (Location::caller(), first.at);
            draft.errors.push(format!(
                "{at}: `topology_optimization` holds for the whole topology; say it before the first operator (at {first})"
            ));
        }
        draft.optimization = optimization;
    }

    pub(crate) fn optimization(&self) -> TopologyOptimization {
        self.draft().optimization
    }

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
        let mut readers: Vec<(TopicRef, Vec<Box<dyn Source>>)> = Vec::new();
        for (topic, link) in sources {
            let reader = link();
            match readers.iter_mut().find(|(known, _)| *known == topic) {
                Some((_, readers)) => readers.push(reader),
                None => readers.push((topic, vec![reader])),
            }
        }
        let links = std::mem::take(&mut self.draft().links);
        links.into_iter().for_each(|link| link());
        let processors = std::mem::take(&mut self.draft().processors);
        let processors = processors.into_iter().map(|link| link());
        let processors: Arc<[ProcessorSpec]> = processors.collect();
        let mut draft = self.draft();
        if std::mem::replace(&mut draft.built, true) {
            draft.errors.push(format!(
                "{at}: this builder has built its topology already; a topology can be cloned"
            ));
        }
        let mut nodes = draft.nodes.clone();
        let mut stores = draft.stores.clone();
        let mut repartitions = draft.repartitions.clone();
        let mut global_tables = draft.global_tables.clone();
        let mut errors = draft.errors.clone();
        errors.extend(names::name_nodes(&mut nodes));
        errors.extend(names::name_what_is_kept(
            &nodes,
            &mut stores,
            &mut repartitions,
            &mut global_tables,
        ));
        errors.extend(check::check(&nodes, &global_tables));
        let topics: Vec<SourceTopicReaders> = readers.into_iter().map(Into::into).collect();
        let sub_topologies = sub_topology::split(&nodes, &topics);
        let kept_in_flow = kept_in_flow(&processors);
        let copartitioned = copartition::groups(&nodes, &draft.copartitions);
        let graph = Graph {
            nodes,
            topics,
            sink_topics: draft.sink_topics.iter().cloned().map(Into::into).collect(),
            processors,
            stores,
            kept_in_flow,
            repartitions,
            copartitioned,
            global_tables,
            sub_topologies,
            errors,
        };
        Topology::new(graph, Arc::new(draft.config.clone()))
    }

    fn draft(&self) -> RefMut<'_, Draft> {
        self.0.borrow_mut()
    }

    /// Tells if what a node takes in belongs to another topology.
    #[track_caller]
    pub(crate) fn expect_same(&self, other: &Self) {
        if !self.is_same_as(other) {
            let at = Location::caller();
            self.add_error(format!("{at}: the two sides belong to different topologies; both must come from one builder"));
        }
    }

    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn add(&self, mut node: NodeSpec) -> NodeId {
        let mut draft = self.draft();
        node.scope = draft.scope();
        draft.nodes.push(node);
        NodeId(draft.nodes.len() - 1)
    }

    pub(crate) fn add_source(
        &self,
        topic: &str,
        at: &'static Location<'static>,
        link: LinkSource,
    ) -> NodeId {
        let topic = TopicRef::External(topic.to_owned());
        self.add_source_of(topic, at, link)
    }

    pub(crate) fn add_source_of(
        &self,
        topic: TopicRef,
        at: &'static Location<'static>,
        link: LinkSource,
    ) -> NodeId {
        let node = self.add(NodeSpec::new(Kind::Source(topic.clone()), &[], at));
        self.add_reader(topic, link);
        node
    }

    /// What reads a topic; its node is the caller's.
    pub(crate) fn add_reader(&self, topic: TopicRef, link: LinkSource) {
        self.draft().sources.push((topic, link));
    }

    /// The number of a topic that is written to.
    pub(crate) fn sink_topic(&self, topic: TopicRef) -> usize {
        let topics = &mut self.draft().sink_topics;
        topics.iter().position(|t| *t == topic).unwrap_or_else(|| {
            topics.push(topic);
            topics.len() - 1
        })
    }

    /// A store: of a node that is drafted already, or a user's own.
    pub(crate) fn add_store(&self, store: StoreSpec) -> StoreId {
        let mut draft = self.draft();
        let id = StoreId(draft.stores.len());
        if let Owner::Node(owner) = store.owner
            && let Some(owner) = draft.nodes.get_mut(owner.0)
        {
            owner.stores.push(id);
        }
        draft.stores.push(store);
        id
    }

    /// Has a store be of another kind, which has a changelog of its own.
    pub(crate) fn set_store_kind(&self, store: StoreId, kind: StoreKind) {
        if let Some(store) = self.draft().stores.get_mut(store.0) {
            store.kind = kind;
            store.source = None;
        }
    }

    /// Has the topic of a table be its store's changelog.
    pub(crate) fn set_store_source(&self, store: StoreId, source: SourceChangelog) {
        if let Some(store) = self.draft().stores.get_mut(store.0) {
            store.source = Some(source);
        }
    }

    /// Has a store be kept here, whatever the job says.
    pub(crate) fn set_store_backend(&self, store: StoreId, backend: StateBackend) {
        if let Some(store) = self.draft().stores.get_mut(store.0) {
            store.backend = Some(backend);
        }
    }

    /// Tells that a node reads or writes a store that another node owns: both run in one task.
    pub(crate) fn connect_store(&self, node: NodeId, store: StoreId) {
        if let Some(node) = self.draft().nodes.get_mut(node.0) {
            node.stores.push(store);
        }
    }

    pub(crate) fn add_repartition(&self, repartition: RepartitionSpec) -> RepartitionId {
        let repartitions = &mut self.draft().repartitions;
        repartitions.push(repartition);
        RepartitionId(repartitions.len() - 1)
    }

    /// Tells that a node takes records of equal keys from behind these nodes: the topics that they come from need equal
    /// numbers of partitions.
    pub(crate) fn copartition(&self, at: NodeId, inputs: &[NodeId]) {
        self.draft().copartitions.push(Copartition {
            at,
            inputs: inputs.to_vec(),
        });
    }

    /// Says that a node has a use for records with null keys.
    pub(crate) fn take_null_keys(&self, node: NodeId) {
        self.draft().take_null_keys.push(node);
    }

    /// Whether records with null keys are of use somewhere behind a repartition topic. Asked when links run.
    pub(crate) fn leads_to_null_keys(&self, topic: RepartitionId) -> bool {
        let draft = self.draft();
        null_keys::leads_to(&draft.nodes, topic, &draft.take_null_keys)
    }

    /// Calls a repartition topic after the node that it is there for.
    pub(crate) fn name_repartition_after(&self, repartition: RepartitionId, owner: NodeId) {
        if let Some(repartition) = self.draft().repartitions.get_mut(repartition.0) {
            repartition.owner = Some(owner);
        }
    }

    /// What is linked when the topology is built, though no source leads to it by itself.
    pub(crate) fn add_link(&self, link: Link) {
        self.draft().links.push(link);
    }

    /// The slot of a processor's instances, which are told what to do by what `link` makes.
    pub(crate) fn add_processor(&self, link: impl FnOnce(usize) -> LinkProcessor) -> usize {
        let processors = &mut self.draft().processors;
        let slot = processors.len();
        processors.push(link(slot));
        slot
    }

    /// Tells that what `parent` forwards goes to `node` too.
    pub(crate) fn add_parent(&self, node: NodeId, parent: NodeId) {
        if let Some(node) = self.draft().nodes.get_mut(node.0) {
            node.parents.push(parent);
        }
    }

    pub(crate) fn add_global_table(
        &self,
        topic: &str,
        at: &'static Location<'static>,
        reader: impl FnOnce(GlobalId) -> Arc<dyn GlobalReader>,
    ) -> GlobalId {
        let mut draft = self.draft();
        let id = GlobalId(draft.global_tables.len());
        let scope = draft.scope();
        draft.global_tables.push(GlobalTable {
            topic: topic.to_owned(),
            reader: reader(id),
            at,
            scope,
            explicit: None,
            backend: None,
            name: String::new(),
        });
        id
    }

    pub(crate) fn set_global_backend(&self, table: GlobalId, backend: StateBackend) {
        if let Some(table) = self.draft().global_tables.get_mut(table.0) {
            table.backend = Some(backend);
        }
    }

    pub(crate) fn rename_global(&self, table: GlobalId, name: &str) {
        if let Some(table) = self.draft().global_tables.get_mut(table.0) {
            table.explicit = Some(name.to_owned());
        }
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

/// The slots of the tables that are kept, none before one that leads to it: by their nodes, which are drafted in that order.
/// (What a processor's further output leads to may be drafted before the processor, but no table is there in the same task:
/// a repartition topic is between them.)
fn kept_in_flow(processors: &[ProcessorSpec]) -> Vec<usize> {
    let slots = processors.iter().enumerate();
    let mut kept: Vec<(NodeId, usize)> = slots
        .filter(|(_, spec)| spec.table.is_some())
        .map(|(slot, spec)| (spec.node, slot))
        .collect();
    kept.sort_unstable();
    kept.into_iter().map(|(_, slot)| slot).collect()
}
