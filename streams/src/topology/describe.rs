//! What a topology consists of: as text in the manner of Kafka Streams, as Mermaid and DOT for pictures, as JSON for
//! programs.

use super::{CopartitionGroup, GlobalTable, Kind, NodeId, NodeSpec, TopicRef, Topology};
use crate::state::{StoreId, StoreSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// A topology, described. Its `Display` is the text.
///
/// ```
/// use streams::prelude::*;
///
/// let builder = TopologyBuilder::new("shout");
/// builder.stream::<Keyless, str>("words").map_values(|word| word.to_uppercase()).to("loud-words");
/// let description = builder.build().describe();
/// assert_eq!(
///     description.to_string(),
///     "Topology: shout
///   Sub-topology: 0
///     Source: words-source (topic: words)
///       --> shout-map-values
///     Processor: shout-map-values (map-values)
///       --> loud-words-sink
///       <-- words-source
///     Sink: loud-words-sink (topic: loud-words)
///       <-- shout-map-values
/// ",
/// );
/// assert!(description.mermaid().starts_with("flowchart TD\n"));
/// # Ok::<(), streams::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    application_id: String,
    sub_topologies: Vec<Vec<Node>>,
    global_tables: Vec<Global>,
    changelogs: BTreeMap<String, String>,
    repartitions: Vec<Repartition>,
    copartitioned: Vec<Vec<String>>,
}

/// A repartition topic, with the number of its partitions if the user has chosen it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Repartition {
    topic: String,
    partitions: Option<i32>,
}

/// A global table: no part of any sub-topology.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Global {
    store: String,
    topic: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    id: NodeId,
    name: String,
    kind: Kind,
    /// The topic that it reads or writes, as far as it is known.
    topic: Option<String>,
    stores: Vec<String>,
    parents: Vec<Neighbour>,
    children: Vec<Neighbour>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Neighbour {
    id: NodeId,
    name: String,
}

impl Description {
    pub(super) fn new(topology: &Topology) -> Self {
        let describe =
            |id: &NodeId| Some(Node::new(topology, *id, topology.graph().nodes.get(id.0)?));
        let sub_topologies = topology.sub_topologies().iter();
        Self {
            application_id: topology.application_id().to_owned(),
            sub_topologies: sub_topologies
                .map(|sub| sub.nodes.iter().filter_map(describe).collect())
                .collect(),
            global_tables: topology
                .graph()
                .global_tables
                .iter()
                .map(Global::new)
                .collect(),
            changelogs: topology.changelogs(),
            repartitions: topology.repartitions(),
            copartitioned: topology.copartitioned_topics(),
        }
    }

    /// As a flowchart in Mermaid, which GitHub and many editors draw.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for (id, nodes) in self.sub_topologies.iter().enumerate() {
            let _ = writeln!(text, "  subgraph sub{id}[\"Sub-topology {id}\"]");
            for node in nodes {
                let (open, close) = if node.topic().is_some() {
                    ("[(", ")]")
                } else {
                    ("[", "]")
                };
                let _ = writeln!(text, "    n{}{open}\"{}\"{close}", node.id.0, node.label());
            }
            text.push_str("  end\n");
        }
        for (at, table) in self.global_tables.iter().enumerate() {
            let _ = writeln!(text, "  g{at}[(\"{}\")]", table.label());
        }
        for (from, to) in self.edges() {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
        text
    }

    /// As a graph in DOT, which Graphviz draws.
    pub fn dot(&self) -> String {
        let mut text = format!("digraph \"{}\" {{\n", self.application_id);
        for (id, nodes) in self.sub_topologies.iter().enumerate() {
            let _ = writeln!(
                text,
                "  subgraph cluster_{id} {{\n    label=\"Sub-topology {id}\";"
            );
            for node in nodes {
                let shape = if node.topic().is_some() {
                    "cylinder"
                } else {
                    "box"
                };
                let _ = writeln!(
                    text,
                    "    n{} [label=\"{}\", shape={shape}];",
                    node.id.0,
                    node.label()
                );
            }
            text.push_str("  }\n");
        }
        for (at, table) in self.global_tables.iter().enumerate() {
            let label = table.label();
            let _ = writeln!(text, "  g{at} [label=\"{label}\", shape=cylinder];");
        }
        for (from, to) in self.edges() {
            let _ = writeln!(text, "  n{from} -> n{to};");
        }
        text.push_str("}\n");
        text
    }

    /// As JSON, with sub-topologies, their source and sink topics, and their nodes.
    pub fn json(&self) -> String {
        let sub_topologies: Vec<Value> = self
            .sub_topologies
            .iter()
            .enumerate()
            .map(|(id, nodes)| sub_topology_json(id, nodes, &self.changelogs))
            .collect();
        let global_tables = self.global_tables.iter();
        let global_tables: Vec<Value> = global_tables
            .map(|table| json!({ "store": table.store, "topic": table.topic }))
            .collect();
        let repartitions = self.repartitions.iter();
        let repartitions: Vec<Value> = repartitions
            .map(|topic| json!({ "topic": topic.topic, "partitions": topic.partitions }))
            .collect();
        let value = json!({
            "application_id": self.application_id,
            "sub_topologies": sub_topologies,
            "repartition_topics": repartitions,
            "copartitioned": self.copartitioned,
            "global_tables": global_tables,
        });
        format!("{value:#}")
    }

    fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.sub_topologies.iter().flatten();
        nodes.flat_map(|node| node.children.iter().map(|child| (node.id.0, child.id.0)))
    }
}

impl Global {
    fn new(table: &GlobalTable) -> Self {
        Self {
            store: table.name.clone(),
            topic: table.topic.clone(),
        }
    }

    fn label(&self) -> String {
        let Self { store, topic } = self;
        format!("global {store}, of {topic}")
    }
}

impl Topology {
    /// The changelog topic of each store.
    fn changelogs(&self) -> BTreeMap<String, String> {
        let stores = self.graph().stores.iter();
        let changelog = |store: &StoreSpec| store.changelog_topic(self.application_id());
        stores
            .map(|store| (store.name.clone(), changelog(store)))
            .collect()
    }

    fn repartitions(&self) -> Vec<Repartition> {
        let repartitions = self.graph().repartitions.iter();
        repartitions
            .map(|repartition| Repartition {
                topic: repartition.topic(self.application_id()),
                partitions: repartition.partitions,
            })
            .collect()
    }

    /// Topics that need equal numbers of partitions, group by group, by their names on the cluster.
    fn copartitioned_topics(&self) -> Vec<Vec<String>> {
        let names = |group: &CopartitionGroup| {
            let topics = group.topics.iter();
            topics.filter_map(|topic| self.name_of(topic)).collect()
        };
        self.graph().copartitioned.iter().map(names).collect()
    }

    fn topic_of(&self, kind: &Kind) -> Option<String> {
        let (Kind::Source(topic) | Kind::Sink(topic)) = kind else {
            return None;
        };
        self.name_of(topic)
    }

    fn name_of(&self, topic: &TopicRef) -> Option<String> {
        match topic {
            TopicRef::External(name) => Some(name.clone()),
            TopicRef::Repartition(id) => {
                let repartition = self.graph().repartitions.get(id.0)?;
                Some(repartition.topic(self.application_id()))
            }
        }
    }

    fn store_names(&self, stores: &[StoreId]) -> Vec<String> {
        let name = |id: &StoreId| Some(self.graph().stores.get(id.0)?.name.clone());
        stores.iter().filter_map(name).collect()
    }
}

impl Node {
    fn new(topology: &Topology, id: NodeId, spec: &NodeSpec) -> Self {
        let nodes = &topology.graph().nodes;
        let neighbour = |id: NodeId| {
            Some(Neighbour {
                id,
                name: nodes.get(id.0)?.name.clone(),
            })
        };
        let children = (0..nodes.len())
            .map(NodeId)
            .filter(|c| nodes.get(c.0).is_some_and(|c| c.parents.contains(&id)));
        Self {
            id,
            name: spec.name.clone(),
            kind: spec.kind.clone(),
            topic: topology.topic_of(&spec.kind),
            stores: topology.store_names(&spec.stores),
            parents: spec.parents.iter().copied().filter_map(neighbour).collect(),
            children: children.filter_map(neighbour).collect(),
        }
    }

    /// The topic that it reads or writes.
    fn topic(&self) -> Option<&str> {
        match &self.kind {
            Kind::DynamicSink => Some("chosen by the record"),
            _ => self.topic.as_deref(),
        }
    }

    fn role(&self) -> &'static str {
        match self.kind {
            Kind::Source(_) => "Source",
            Kind::Operator(_) => "Processor",
            Kind::Sink(_) | Kind::DynamicSink => "Sink",
        }
    }

    /// What stands in a picture: the topic, or the name.
    fn label(&self) -> &str {
        self.topic().unwrap_or(&self.name)
    }
}

fn names(neighbours: &[Neighbour]) -> Vec<&str> {
    neighbours.iter().map(|n| n.name.as_str()).collect()
}

fn sub_topology_json(id: usize, nodes: &[Node], changelogs: &BTreeMap<String, String>) -> Value {
    let (mut sources, mut sinks) = (Vec::new(), Vec::new());
    let mut stores = Vec::new();
    for node in nodes {
        for store in &node.stores {
            if !stores.contains(&store) {
                stores.push(store);
            }
        }
        let (topics, topic) = match (&node.kind, &node.topic) {
            (Kind::Source(_), Some(topic)) => (&mut sources, topic),
            (Kind::Sink(_), Some(topic)) => (&mut sinks, topic),
            _ => continue,
        };
        // Two nodes may read or write the same topic.
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    let stores: Vec<Value> = stores
        .into_iter()
        .map(|store| json!({ "name": store, "changelog": changelogs.get(store) }))
        .collect();
    let nodes: Vec<Value> = nodes.iter().map(node_json).collect();
    json!({ "id": id, "sources": sources, "sinks": sinks, "stores": stores, "nodes": nodes })
}

fn node_json(node: &Node) -> Value {
    let mut value = json!({
        "name": node.name,
        "kind": node.role().to_lowercase(),
        "parents": names(&node.parents),
        "children": names(&node.children),
    });
    if let Some(object) = value.as_object_mut() {
        match &node.kind {
            Kind::Source(_) | Kind::Sink(_) => object.insert("topic".to_owned(), json!(node.topic)),
            Kind::Operator(operator) => object.insert("operator".to_owned(), json!(operator)),
            Kind::DynamicSink => object.insert("topic".to_owned(), Value::Null),
        };
    }
    value
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Topology: {}", self.application_id)?;
        for (id, nodes) in self.sub_topologies.iter().enumerate() {
            writeln!(f, "  Sub-topology: {id}")?;
            nodes.iter().try_for_each(|node| node.fmt(f))?;
        }
        for Global { store, topic } in &self.global_tables {
            writeln!(f, "  Global table: {store} (topic: {topic})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    {}: {}", self.role(), self.name)?;
        match (&self.kind, self.topic()) {
            (Kind::Operator(operator), _) if self.stores.is_empty() => {
                writeln!(f, " ({operator})")?
            }
            (Kind::Operator(operator), _) => {
                writeln!(f, " ({operator}; stores: {})", self.stores.join(", "))?
            }
            (_, topic) => writeln!(f, " (topic: {})", topic.unwrap_or_default())?,
        }
        for (arrow, neighbours) in [("-->", &self.children), ("<--", &self.parents)] {
            if !neighbours.is_empty() {
                writeln!(f, "      {arrow} {}", names(neighbours).join(", "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use crate::prelude::*;

    fn topology() -> Topology {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<Keyless, str>("words");
        words.filter(|_, _| true).to("out");
        words.to("copy");
        words.to("out");
        builder.stream::<Keyless, str>("other").to("out");
        builder.build()
    }

    #[test]
    fn the_text_has_each_node_with_its_neighbours() {
        let expected = "Topology: app
  Sub-topology: 0
    Source: words-source (topic: words)
      --> app-filter, copy-sink, out-sink-2
    Processor: app-filter (filter)
      --> out-sink
      <-- words-source
    Sink: out-sink (topic: out)
      <-- app-filter
    Sink: copy-sink (topic: copy)
      <-- words-source
    Sink: out-sink-2 (topic: out)
      <-- words-source
  Sub-topology: 1
    Source: other-source (topic: other)
      --> out-sink-3
    Sink: out-sink-3 (topic: out)
      <-- other-source
";
        assert_eq!(topology().describe().to_string(), expected);
    }

    #[test]
    fn pictures_have_topics_and_edges() {
        let description = topology().describe();
        assert!(
            description.mermaid().contains("n0[(\"words\")]"),
            "{}",
            description.mermaid()
        );
        assert!(
            description.mermaid().contains("  n0 --> n1\n"),
            "{}",
            description.mermaid()
        );
        assert!(
            description
                .dot()
                .contains("n2 [label=\"out\", shape=cylinder];"),
            "{}",
            description.dot()
        );
        assert!(
            description.dot().contains("  n1 -> n2;\n"),
            "{}",
            description.dot()
        );
    }

    #[test]
    fn json_can_be_read_by_programs() {
        let json: serde_json::Value = serde_json::from_str(&topology().describe().json()).unwrap();
        let sub = &json["sub_topologies"][0];
        assert_eq!(sub["sources"], serde_json::json!(["words"]));
        assert_eq!(sub["sinks"], serde_json::json!(["out", "copy"]));
        assert_eq!(sub["nodes"][1]["operator"], "filter");
        assert_eq!(sub["nodes"][1]["children"], serde_json::json!(["out-sink"]));
    }
}
