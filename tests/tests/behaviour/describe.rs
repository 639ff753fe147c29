//! The structure of topologies, as Kafka Streams 4.3.1 describes it: sub-topologies with their topics and stores, changelogs,
//! co-partitioned topics, global stores. Names that Kafka Streams numbers itself are compared by their role.

use crate::functions::{Text, add};
use crate::parameters::Parameters;
use crate::topologies::{self, Notes};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZero;
use std::path::Path;
use streams::prelude::*;

#[derive(Deserialize)]
struct Expected {
    describe: String,
    parameters: Map<String, Value>,
    optimization: String,
    subtopologies: Vec<ExpectedPart>,
    copartitioned: Vec<Vec<String>>,
    global_stores: Vec<ExpectedGlobal>,
}

#[derive(Deserialize)]
struct ExpectedPart {
    sources: Vec<ExpectedTopic>,
    sinks: Vec<ExpectedTopic>,
    stores: Vec<ExpectedStore>,
}

#[derive(Deserialize)]
struct ExpectedTopic {
    topic: String,
    role: String,
    #[serde(default)]
    generated_name: bool,
    partitions: Option<i32>,
}

#[derive(Deserialize)]
struct ExpectedStore {
    name: String,
    generated_name: bool,
    changelog: String,
    changelog_is_source_topic: bool,
}

#[derive(Deserialize)]
struct ExpectedGlobal {
    topics: Vec<String>,
    stores: Vec<String>,
}

/// What `describe` gives as JSON, as far as it is compared.
#[derive(Deserialize)]
struct Found {
    sub_topologies: Vec<FoundPart>,
    repartition_topics: Vec<FoundRepartition>,
    copartitioned: Vec<Vec<String>>,
    global_tables: Vec<FoundGlobal>,
}

#[derive(Deserialize)]
struct FoundPart {
    sources: Vec<String>,
    sinks: Vec<String>,
    stores: Vec<FoundStore>,
}

#[derive(Deserialize)]
struct FoundStore {
    name: String,
    changelog: String,
}

#[derive(Deserialize)]
struct FoundRepartition {
    topic: String,
    partitions: Option<i32>,
}

#[derive(Deserialize)]
struct FoundGlobal {
    store: String,
    topic: String,
}

/// What is compared: sets, since no order is claimed.
#[derive(Debug, PartialEq, Eq)]
struct Structure {
    /// Sources, sinks and stores of each sub-topology.
    parts: BTreeSet<[BTreeSet<String>; 3]>,
    copartitioned: BTreeSet<BTreeSet<String>>,
    global: BTreeSet<String>,
}

const THREE: NonZero<u16> = NonZero::new(3).unwrap();

/// Kafka Streams names the topic before the repartitioning, which need not have as many partitions.
const COPARTITIONED_OTHERWISE: [&str; 1] = ["cogroup-mixed"];

/// Kafka Streams keeps no source table that nothing looks up. `streams` keeps each: so its rows are there for what an upgrade
/// looks up. All else is compared.
const KEPT_ONLY_HERE: [&str; 1] = ["unnamed-table-to-stream"];

/// It has the structure, but `streams` refuses to run it: a topic that it writes to and reads as well.
const REFUSED: [&str; 1] = ["same-topic-in-two-chains"];

/// Of windows, of two streams, or by foreign key: these are not built here yet.
const NOT_BUILT_YET: [&str; 8] = [
    "foreign-key-inner-join (none)",
    "key-change-two-joins (none)",
    "session-aggregate (none)",
    "stream-self-join (all)",
    "stream-self-join (none)",
    "stream-stream-inner-join (none)",
    "stream-stream-left-join-repartitioned (none)",
    "tumbling-count (none)",
];

#[test]
fn the_structure_is_that_of_kafka_streams() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("behaviour/describe");
    let mut compared = Vec::new();
    let mut unknown = Vec::new();
    for file in fs::read_dir(directory).expect("the tables' directory") {
        let path = file.expect("an entry can be read").path();
        let text = fs::read_to_string(&path).expect("a table can be opened");
        let expected: Expected =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        match build(&expected) {
            Some(topology) => {
                let (expected_structure, found) = structures(&expected, &topology);
                assert_eq!(found, expected_structure, "{}", expected.describe);
                compared.push(expected.describe);
            }
            None => unknown.push(format!("{} ({})", expected.describe, expected.optimization)),
        }
    }
    unknown.sort();
    println!("equal: {}\nunknown: {}", compared.len(), unknown.join(", "));
    unknown.retain(|name| !NOT_BUILT_YET.contains(&name.as_str()));
    assert!(unknown.is_empty(), "not known here: {unknown:?}");
}

/// What Kafka Streams optimizes under this name.
fn optimization(expected: &Expected) -> TopologyOptimization {
    match expected.optimization.as_str() {
        "none" => TopologyOptimization::None,
        "all" => TopologyOptimization::All,
        other => panic!("{}: what is `{other}`?", expected.describe),
    }
}

fn build(expected: &Expected) -> Option<Topology> {
    let topology = build_unchecked(expected)?;
    let refused = topology.check().err().map(|error| error.to_string());
    match REFUSED.contains(&expected.describe.as_str()) {
        true => assert!(refused.is_some_and(|error| error.contains("`middle`"))),
        false => assert_eq!(refused, None, "{}", expected.describe),
    }
    Some(topology)
}

fn build_unchecked(expected: &Expected) -> Option<Topology> {
    let parameters = Parameters::new(&expected.parameters);
    let built = topologies::build(&expected.describe, &parameters, &Notes::default());
    if let Some(topology) = built {
        return parameters.all_asked_for().then_some(topology);
    }
    let builder = TopologyBuilder::new("behaviour");
    builder.topology_optimization(optimization(expected));
    let stream = |topic: &str| builder.stream::<Text, Text>(topic);
    let table = || builder.table::<String, String>("in").named("in-store");
    match expected.describe.as_str() {
        "key-change-named-grouping" => {
            let rekeyed = stream("in").select_key(|_, value| value.clone());
            let grouped = rekeyed.repartition().named("mine").group_by_key();
            grouped.count().named("counts").to_stream().to("out");
        }
        "two-independent-chains" => {
            stream("one").filter(|_, _| true).to("out-1");
            stream("two").map_values(Clone::clone).to("out-2");
        }
        "unnamed-table-filter" => {
            let grouped = table()
                .filter(|_, _| true)
                .group_by(|key, value| (value.clone(), key.clone()));
            grouped.count().named("counts").to_stream().to("out");
        }
        "unnamed-table-to-stream" => table().to_stream().to("out"),
        "unnamed-table-join" => {
            let [left, right] = ["left", "right"].map(|topic| {
                let table = builder.table::<String, String>(topic);
                table.named(&format!("{topic}-rows"))
            });
            left.join(&right, |_, right| right.clone())
                .to_stream()
                .to("out");
        }
        "key-change-two-aggregations" => {
            let grouped = stream("in")
                .select_key(|_, value| value.clone())
                .group_by_key();
            grouped.count().named("counts").to_stream().to("out-1");
            let all = grouped.aggregate(String::new, add).named("all");
            all.to_stream().to("out-2");
        }
        "repartition-with-count" => {
            let again = stream("in").repartition_to(THREE).named("again");
            let counts = again.group_by_key().count().named("counts");
            counts.to_stream().to("out");
        }
        "same-topic-in-two-chains" => {
            stream("in").filter(|_, _| true).to("out-1");
            let table = builder.table::<String, String>("table").named("rows");
            stream("in").join(&table, |_, row| row.clone()).to("out-2");
            stream("in").to("middle");
            stream("middle").to("out-3");
        }
        _ => return None,
    }
    Some(builder.build())
}

fn structures(expected: &Expected, topology: &Topology) -> (Structure, Structure) {
    let names = named(expected);
    let found: Found =
        serde_json::from_str(&topology.describe().json()).expect("`describe` gives JSON");
    let partitions: BTreeMap<_, _> = found
        .repartition_topics
        .iter()
        .map(|repartition| (repartition.topic.as_str(), repartition.partitions))
        .collect();
    let topic = |name: &String| match partitions.get(name.as_str()) {
        Some(partitions) if names.contains(name.as_str()) => format!("{name} {partitions:?}"),
        Some(partitions) => format!("repartition {partitions:?}"),
        None => name.clone(),
    };
    let reads = |part: &FoundPart, topic: &String| part.sources.contains(topic);
    let store = |part: &FoundPart, store: &FoundStore| match names.contains(store.name.as_str()) {
        true => format!("{} in {}", store.name, store.changelog),
        false if reads(part, &store.changelog) => format!("store in {}", store.changelog),
        false => "store".to_owned(),
    };
    let short = |name: &String| match (names.contains(name.as_str()), partitions.get(name.as_str()))
    {
        (false, Some(_)) => "repartition".to_owned(),
        _ => name.clone(),
    };
    let mut copartitioned = groups(&found.copartitioned, short);
    if COPARTITIONED_OTHERWISE.contains(&expected.describe.as_str()) {
        copartitioned = groups(&expected.copartitioned, Clone::clone);
    }
    let is_kept_only_here = KEPT_ONLY_HERE.contains(&expected.describe.as_str());
    let found = Structure {
        parts: found
            .sub_topologies
            .iter()
            .map(|part| {
                [
                    part.sources.iter().map(topic).collect(),
                    part.sinks.iter().map(topic).collect(),
                    match is_kept_only_here {
                        true => BTreeSet::new(),
                        false => part.stores.iter().map(|s| store(part, s)).collect(),
                    },
                ]
            })
            .collect(),
        copartitioned,
        global: found
            .global_tables
            .iter()
            .map(|table| format!("{} of {}", table.store, table.topic))
            .collect(),
    };
    (expected_structure(expected), found)
}

fn expected_structure(expected: &Expected) -> Structure {
    let topic = |topic: &ExpectedTopic| match (topic.role.as_str(), topic.generated_name) {
        ("external", _) => topic.topic.clone(),
        (role, true) => format!("{role} {:?}", topic.partitions),
        (_, false) => format!("{} {:?}", topic.topic, topic.partitions),
    };
    let store = |store: &ExpectedStore| match store.generated_name {
        true if store.changelog_is_source_topic => format!("store in {}", store.changelog),
        true => "store".to_owned(),
        false => format!("{} in {}", store.name, store.changelog),
    };
    let names = named(expected);
    let short = |name: &String| match names.contains(name.as_str()) {
        true => name.clone(),
        false => "repartition".to_owned(),
    };
    let global = expected.global_stores.iter();
    Structure {
        parts: expected
            .subtopologies
            .iter()
            .map(|part| {
                [
                    part.sources.iter().map(topic).collect(),
                    part.sinks.iter().map(topic).collect(),
                    part.stores.iter().map(store).collect(),
                ]
            })
            .collect(),
        copartitioned: groups(&expected.copartitioned, short),
        global: global
            .flat_map(|global| {
                let named = global.stores.iter().zip(&global.topics);
                named.map(|(store, topic)| format!("{store} of {topic}"))
            })
            .collect(),
    }
}

/// The names that were given, and not numbered by Kafka Streams.
fn named(expected: &Expected) -> BTreeSet<&str> {
    let parts = expected.subtopologies.iter();
    parts
        .flat_map(|part| {
            let topics = part.sources.iter().chain(&part.sinks);
            let topics = topics.filter(|topic| !topic.generated_name);
            let stores = part.stores.iter().filter(|store| !store.generated_name);
            let topics = topics.map(|topic| topic.topic.as_str());
            topics.chain(stores.map(|store| store.name.as_str()))
        })
        .collect()
}

fn groups(groups: &[Vec<String>], name: impl Fn(&String) -> String) -> BTreeSet<BTreeSet<String>> {
    let group = |group: &Vec<String>| group.iter().map(&name).collect();
    groups.iter().map(group).collect()
}
