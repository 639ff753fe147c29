//! What a topology consists of: as text in the manner of Kafka Streams, as Mermaid and DOT for pictures, as JSON for
//! programs.

use super::{Kind, NodeId, NodeSpec, Topology};
use serde_json::{Value, json};
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    id: NodeId,
    name: String,
    kind: Kind,
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
        let nodes = &topology.graph().nodes;
        let describe = |id: &NodeId| Some(Node::new(nodes, *id, nodes.get(id.0)?));
        let sub_topologies = topology.sub_topologies().iter();
        Self {
            application_id: topology.application_id().to_owned(),
            sub_topologies: sub_topologies
                .map(|sub| sub.nodes.iter().filter_map(describe).collect())
                .collect(),
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
            .map(|(id, nodes)| sub_topology_json(id, nodes))
            .collect();
        let value =
            json!({ "application_id": self.application_id, "sub_topologies": sub_topologies });
        format!("{value:#}")
    }

    fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.sub_topologies.iter().flatten();
        nodes.flat_map(|node| node.children.iter().map(|child| (node.id.0, child.id.0)))
    }
}

impl Node {
    fn new(nodes: &[NodeSpec], id: NodeId, spec: &NodeSpec) -> Self {
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
            parents: spec.parents.iter().copied().filter_map(neighbour).collect(),
            children: children.filter_map(neighbour).collect(),
        }
    }

    /// The topic that it reads or writes, as far as it is known.
    fn topic(&self) -> Option<&str> {
        match &self.kind {
            Kind::Source(topic) | Kind::Sink(topic) => Some(topic),
            Kind::DynamicSink => Some("chosen by the record"),
            Kind::Operator(_) => None,
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

fn sub_topology_json(id: usize, nodes: &[Node]) -> Value {
    let (mut sources, mut sinks) = (Vec::new(), Vec::new());
    for node in nodes {
        let (topics, topic) = match &node.kind {
            Kind::Source(topic) => (&mut sources, topic),
            Kind::Sink(topic) => (&mut sinks, topic),
            Kind::Operator(_) | Kind::DynamicSink => continue,
        };
        // Two nodes may read or write the same topic.
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    let nodes: Vec<Value> = nodes.iter().map(node_json).collect();
    json!({ "id": id, "sources": sources, "sinks": sinks, "nodes": nodes })
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
            Kind::Source(topic) | Kind::Sink(topic) => {
                object.insert("topic".to_owned(), json!(topic))
            }
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
        Ok(())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    {}: {}", self.role(), self.name)?;
        match (&self.kind, self.topic()) {
            (Kind::Operator(operator), _) => writeln!(f, " ({operator})")?,
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
