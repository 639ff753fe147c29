//! How many partitions the topics have that a topology reads: those of its own follow from the others
//! (`org.apache.kafka.streams.processor.internals.{RepartitionTopics, CopartitionedTopicsEnforcer}`).

use crate::topology::{CopartitionGroup, Kind, RepartitionId, SubTopology, TopicRef, Topology};
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};

/// The partition counts of all topics that a topology reads.
pub(super) struct Counts<'t> {
    topology: &'t Topology,
    existing: &'t BTreeMap<String, i32>,
    repartitions: HashMap<RepartitionId, i32>,
}

impl<'t> Counts<'t> {
    pub(super) fn new(topology: &'t Topology, existing: &'t BTreeMap<String, i32>) -> Result<Self> {
        let mut counts = Self {
            topology,
            existing,
            repartitions: HashMap::new(),
        };
        let joined = topology.graph().copartitioned.iter();
        let mut groups: Vec<Group> = joined.map(Group::joined).collect();
        groups.extend(stateful_groups(topology));
        let all = &topology.graph().repartitions;
        for (id, repartition) in all.iter().enumerate() {
            if let Some(partitions) = repartition.partitions {
                counts.repartitions.insert(RepartitionId(id), partitions);
            }
        }
        // A repartition topic may feed a sub-topology that writes the next one: what is known grows with each pass.
        for _ in all {
            for id in (0..all.len()).map(RepartitionId) {
                if counts.repartitions.contains_key(&id) {
                    continue;
                }
                let partners = groups
                    .iter()
                    .find(|g| g.topics.contains(&TopicRef::Repartition(id)));
                let by_partner = partners.and_then(|group| counts.of_group(&group.topics));
                if let Some(partitions) = by_partner.or_else(|| counts.upstream(id)) {
                    counts.repartitions.insert(id, partitions);
                }
            }
        }
        for group in &groups {
            counts.equalize(&group.topics);
        }
        for group in &groups {
            counts.check(group)?;
        }
        Ok(counts)
    }

    fn of_topic(&self, topic: &TopicRef) -> Option<i32> {
        match topic {
            TopicRef::External(name) => self.existing.get(name).copied(),
            TopicRef::Repartition(id) => self.repartitions.get(id).copied(),
        }
    }

    /// Whether a topic's number is somebody else's to choose.
    fn is_fixed(&self, topic: &TopicRef) -> bool {
        match topic {
            TopicRef::External(_) => true,
            TopicRef::Repartition(id) => {
                let spec = self.topology.graph().repartitions.get(id.0);
                spec.is_some_and(|spec| spec.partitions.is_some())
            }
        }
    }

    /// The number that a group's members have whose count is not ours to choose.
    fn of_group(&self, group: &[TopicRef]) -> Option<i32> {
        let mut fixed = group.iter().filter(|topic| self.is_fixed(topic));
        fixed.find_map(|topic| self.of_topic(topic))
    }

    /// The repartition topics of a group whose number is ours to choose get that of the others, or the largest of theirs.
    fn equalize(&mut self, group: &[TopicRef]) {
        let number = self
            .of_group(group)
            .or_else(|| group.iter().filter_map(|t| self.of_topic(t)).max());
        for topic in group {
            if let (TopicRef::Repartition(id), Some(number)) = (topic, number)
                && !self.is_fixed(topic)
            {
                self.repartitions.insert(*id, number);
            }
        }
    }

    /// The largest count of the topics that are read where the repartition topic is written.
    fn upstream(&self, id: RepartitionId) -> Option<i32> {
        let topic = TopicRef::Repartition(id);
        let nodes = &self.topology.graph().nodes;
        let writes = |sub: &&SubTopology| {
            let mut nodes = sub.nodes.iter().filter_map(|node| nodes.get(node.0));
            nodes.any(|node| matches!(&node.kind, Kind::Sink(t) if *t == topic))
        };
        let writers = self.topology.sub_topologies().iter().filter(writes);
        let counts: Option<Vec<i32>> = writers
            .flat_map(|sub| self.sources(sub))
            .map(|source| self.of_topic(source))
            .collect();
        counts?.into_iter().max()
    }

    fn sources<'s>(&'s self, sub: &'s SubTopology) -> impl Iterator<Item = &'s TopicRef> {
        let topics = &self.topology.graph().topics;
        sub.sources
            .iter()
            .filter_map(|source| Some(&topics.get(source.0)?.topic))
    }

    pub(super) fn repartition(&self, id: RepartitionId) -> Result<i32> {
        self.repartitions.get(&id).copied().ok_or_else(|| {
            Error::Topology(
                "a repartition topic is fed by itself alone; please report this as a bug"
                    .to_owned(),
            )
        })
    }

    /// How many tasks a sub-topology has.
    pub(super) fn tasks(&self, sub: &SubTopology) -> Result<i32> {
        let counts = self.sources(sub).filter_map(|topic| self.of_topic(topic));
        counts.max().ok_or_else(|| {
            Error::Topology("a part of the topology has a store and reads no topic".to_owned())
        })
    }

    fn check(&self, group: &Group) -> Result<()> {
        let known = |topic| Some((self.name(topic), self.of_topic(topic)?));
        let counts: Vec<(String, i32)> = group.topics.iter().filter_map(known).collect();
        let Some((first, partitions)) = counts.first() else {
            return Ok(());
        };
        match counts.iter().find(|(_, other)| other != partitions) {
            None => Ok(()),
            Some((topic, other)) => Err(Error::Cluster(format!(
                "`{first}` has {partitions} partitions and `{topic}` has {other}, but {}; give both topics the same number, or send \
                 one of the streams through `.repartition()`",
                group.why
            ))),
        }
    }

    fn name(&self, topic: &TopicRef) -> String {
        match topic {
            TopicRef::External(name) => name.clone(),
            TopicRef::Repartition(id) => {
                let spec = self.topology.graph().repartitions.get(id.0);
                spec.map_or_else(String::new, |r| r.topic(self.topology.application_id()))
            }
        }
    }
}

/// Topics that need as many partitions as each other.
struct Group {
    topics: Vec<TopicRef>,
    /// In words that follow "but".
    why: String,
}

impl Group {
    fn joined(group: &CopartitionGroup) -> Self {
        let places: Vec<String> = group.places.iter().map(ToString::to_string).collect();
        Self {
            topics: group.topics.clone(),
            why: format!(
                "they are joined ({}), so that equal keys have to be in partitions of the same number",
                places.join(", ")
            ),
        }
    }
}

/// The topics of each part with state. The group gives the partitions of each topic out by itself, and those of one number
/// meet at one member only where all topics have as many: else two members would have the state of one task.
fn stateful_groups(topology: &Topology) -> impl Iterator<Item = Group> {
    let graph = topology.graph();
    let subs = topology.sub_topologies().iter();
    subs.filter(|sub| sub.sources.len() > 1)
        .filter_map(move |sub| {
            let store = sub.stores.first().and_then(|id| graph.stores.get(id.0))?;
            let sources = sub.sources.iter().filter_map(|id| graph.topics.get(id.0));
            Some(Group {
                topics: sources.map(|source| source.topic.clone()).collect(),
                why: format!(
                    "records of both reach the store `{}`, each task of which takes the partitions of one number",
                    store.name
                ),
            })
        })
}
