//! `describe`: the topology as text, as a drawing, and for programs.

use std::process::Stdio;

use crate::fixture::{recipe, told};

#[test]
fn describe_prints_the_topology() {
    let text = "\
Topology: kafka-exactly-once
  Sub-topology: 0
    Source: input-source (topic: input)
      --> output-sink
    Sink: output-sink (topic: output)
      <-- input-source
";
    assert_eq!(told(&["describe"]), text);
    assert_eq!(told(&["describe", "--format", "text"]), text);
}

#[test]
fn describe_draws_the_topology() {
    let mermaid = told(&["describe", "--format", "mermaid"]);
    let lines: Vec<&str> = mermaid.lines().map(str::trim).collect();
    assert_eq!(lines[0], "flowchart TD");
    for line in ["n0[(\"input\")]", "n1[(\"output\")]", "n0 --> n1"] {
        assert!(lines.contains(&line), "{mermaid}");
    }
    let dot = told(&["describe", "--format", "dot"]);
    assert!(dot.starts_with("digraph \"kafka-exactly-once\" {"), "{dot}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count(), "{dot}");
    for line in [
        "n0 [label=\"input\", ",
        "n1 [label=\"output\", ",
        "n0 -> n1;",
    ] {
        assert!(dot.contains(line), "{dot}");
    }
}

#[test]
fn describe_gives_the_topology_to_programs() {
    let json: serde_json::Value =
        serde_json::from_str(&told(&["describe", "--format", "json"])).unwrap();
    assert_eq!(json["application_id"], "kafka-exactly-once");
    let sub_topology = &json["sub_topologies"][0];
    assert_eq!(sub_topology["sources"], serde_json::json!(["input"]));
    assert_eq!(sub_topology["sinks"], serde_json::json!(["output"]));
    assert_eq!(sub_topology["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(sub_topology["nodes"][0]["children"][0], "output-sink");
}

#[test]
fn who_closes_the_pipe_gets_no_more_and_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = recipe(&["describe", "--format", "dot"]);
    let output = command.stdout(writer).stderr(Stdio::piped());
    let ended = output.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
}
