//! Replays what Kafka Streams 4.3.1 did, step by step, through the test driver: `streams` must do the same.
//!
//! The tables are in `tests/behaviour/<topology>/<case>.json`, or in the directory that `BEHAVIOUR_TABLES` names. They were
//! captured by running Kafka Streams; no expected value was written by hand. Cases of [`NOT_BUILT_YET`] are counted and named;
//! any other one that is not known here fails, as does one with a parameter that nothing asks for.
#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "behaviour/describe.rs"]
mod describe;
#[path = "behaviour/functions.rs"]
mod functions;
#[path = "behaviour/joins.rs"]
mod joins;
#[path = "behaviour/parameters.rs"]
mod parameters;
#[path = "behaviour/processors.rs"]
mod processors;
#[path = "behaviour/store_commands.rs"]
mod store_commands;
#[path = "behaviour/stores.rs"]
mod stores;
#[path = "behaviour/table.rs"]
mod table;
#[path = "behaviour/tables.rs"]
mod tables;
#[path = "behaviour/topologies.rs"]
mod topologies;

use parameters::Parameters;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use streams::testing::{RawRecord, TopologyTestDriver};
use table::{Case, Emitted, Step};
use topologies::Notes;

/// What the topologies' names begin with that cannot be built yet: windows and sessions, stream-stream joins, foreign-key
/// joins, suppression.
const NOT_BUILT_YET: [&str; 15] = [
    "cogroup-hopping",
    "cogroup-session",
    "cogroup-sliding",
    "cogroup-tumbling",
    "foreign-key-",
    "hopping-",
    "join-then-hopping-",
    "session-aggregate",
    "session-count",
    "session-reduce",
    "sliding-",
    "stream-self-join",
    "stream-stream-",
    "suppress-",
    "tumbling-",
];

/// What came of the cases of one topology.
#[derive(Default)]
struct Tally {
    equal: usize,
    steps: usize,
    emitted: usize,
    unknown: usize,
    differences: Vec<String>,
}

#[derive(Default)]
struct Report(BTreeMap<String, Tally>);

impl Report {
    fn sum(&self, count: impl Fn(&Tally) -> usize) -> usize {
        self.0.values().map(count).sum()
    }

    /// Fails if a case differs, or if none was compared: an empty directory proves nothing.
    fn verdict(&self) -> Result<(), String> {
        let differences: Vec<&str> = self
            .0
            .values()
            .flat_map(|t| &t.differences)
            .map(String::as_str)
            .collect();
        if !differences.is_empty() {
            return Err(differences.join("\n"));
        }
        if self.sum(|t| t.equal) == 0 {
            return Err("no case was compared".to_owned());
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28} {:>6} {:>8} {:>8} {:>6} {:>8}",
            "topology", "equal", "steps", "emitted", "failed", "unknown"
        )?;
        let mut line = |name: &str, counts: [usize; 5]| {
            let [equal, steps, emitted, failed, unknown] = counts;
            writeln!(
                f,
                "{name:<28} {equal:>6} {steps:>8} {emitted:>8} {failed:>6} {unknown:>8}"
            )
        };
        for (name, tally) in &self.0 {
            line(
                name,
                [
                    tally.equal,
                    tally.steps,
                    tally.emitted,
                    tally.differences.len(),
                    tally.unknown,
                ],
            )?;
        }
        let failed = self.sum(|t| t.differences.len());
        line(
            "all",
            [
                self.sum(|t| t.equal),
                self.sum(|t| t.steps),
                self.sum(|t| t.emitted),
                failed,
                self.sum(|t| t.unknown),
            ],
        )
    }
}

#[test]
fn every_step_is_what_kafka_streams_did() {
    let report = replay_all(&tables());
    println!("{report}");
    if let Err(differences) = report.verdict() {
        panic!("{differences}");
    }
}

fn tables() -> PathBuf {
    match std::env::var_os("BEHAVIOUR_TABLES") {
        Some(directory) => directory.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("behaviour"),
    }
}

fn replay_all(directory: &Path) -> Report {
    let mut report = Report::default();
    for case in table::read_all(directory) {
        let tally = report.0.entry(case.topology.clone()).or_default();
        match replay(&case) {
            Replayed::Equal { emitted } => {
                tally.equal += 1;
                tally.steps += case.steps.len();
                tally.emitted += emitted;
            }
            Replayed::Different(difference) => tally.differences.push(difference),
            Replayed::Unknown if is_built(&case.topology) => {
                let case = case.case;
                tally.differences.push(format!(
                    "{case}: its topology, or a parameter of it, is not known here"
                ));
            }
            Replayed::Unknown => tally.unknown += 1,
        }
    }
    report
}

fn is_built(topology: &str) -> bool {
    !NOT_BUILT_YET
        .iter()
        .any(|begin| topology.starts_with(begin))
}

enum Replayed {
    Equal {
        emitted: usize,
    },
    Different(String),
    /// The topology is not built here yet.
    Unknown,
}

fn replay(case: &Case) -> Replayed {
    let notes = Notes::default();
    let parameters = Parameters::new(&case.parameters);
    let Some(topology) = topologies::build(&case.topology, &parameters, &notes) else {
        return Replayed::Unknown;
    };
    if !parameters.all_asked_for() {
        return Replayed::Unknown;
    }
    let mut driver = TopologyTestDriver::new(topology).expect("a topology of the tables is right");
    let mut emitted = 0;
    for (at, step) in case.steps.iter().enumerate() {
        let failed = run(&mut driver, step).err();
        let found = table::by_topic(notes.take().into_iter().chain(outputs(&mut driver)));
        let expected = table::by_topic(step.expect.iter().cloned());
        if found != expected || failed.is_some() != step.fails {
            let failed = failed
                .map(|e| format!(", and failed: {e}"))
                .unwrap_or_default();
            return Replayed::Different(format!(
                "{}, step {at}: {step:?}\n  expected {expected:?}\n  found    {found:?}{failed}",
                case.case
            ));
        }
        emitted += step.expect.len();
    }
    for (name, expected) in &case.stores {
        if let Err(difference) = stores::compare(case, &mut driver, name, expected) {
            return Replayed::Different(format!("{}: {difference}", case.case));
        }
    }
    Replayed::Equal { emitted }
}

fn run(driver: &mut TopologyTestDriver, step: &Step) -> streams::Result<()> {
    driver.advance_wall_clock(step.advance_wall_clock())?;
    match &step.send {
        Some(send) => driver.pipe_raw(&send.topic, 0, &send.record()),
        None => Ok(()),
    }
}

fn outputs(driver: &mut TopologyTestDriver) -> impl Iterator<Item = Emitted> + use<> {
    driver
        .read_all_raw()
        .into_iter()
        .map(|(topic, record): (String, RawRecord)| Emitted::of(topic, &record))
}

const CASE: &str = r#"{
    "case": "filter/own", "topology": "filter", "origin": "", "parameters": {}, "kafka_streams": "4.3.1",
    "steps": [{"send": {"topic": "in", "key": "a", "value": "v2", "timestamp": 5, "headers": [["h", "1"]]},
               "expect": [{"topic": "out", "key": "a", "value": "v2", "timestamp": 5, "headers": [["h", "1"]]}]}],
    "stores": {}
}"#;

#[test]
fn a_difference_in_any_part_is_noticed() {
    let replay_text = |text: &str| replay(&table::parse(text).expect("the table can be read"));
    assert!(matches!(replay_text(CASE), Replayed::Equal { emitted: 1 }));
    let expected = CASE.find("expect").expect("a step has expectations");
    let (before, after) = CASE.split_at(expected);
    for (part, other) in [
        (r#""out""#, r#""put""#),
        (r#""a""#, r#""b""#),
        (r#""v2""#, "null"),
        (r#""timestamp": 5"#, r#""timestamp": 6"#),
        (r#""1""#, r#""2""#),
        ("}]}]", "}], \"fails\": true}]"),
    ] {
        let changed = after.replacen(part, other, 1);
        assert_ne!(changed, after, "{part}");
        assert!(
            matches!(
                replay_text(&format!("{before}{changed}")),
                Replayed::Different(_)
            ),
            "{part}"
        );
    }
}

/// A directory with one case.
fn with_case(topology: &str, parameters: &str) -> Report {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let own = directory.path().join(topology);
    std::fs::create_dir(&own).expect("a directory");
    let name = format!(r#""topology": "{topology}""#);
    let text = CASE
        .replace(r#""topology": "filter""#, &name)
        .replace(r#""parameters": {}"#, parameters);
    std::fs::write(own.join("own.json"), text).expect("a file");
    replay_all(directory.path())
}

#[test]
fn a_directory_without_known_cases_fails() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    assert!(replay_all(directory.path()).verdict().is_err());
    let report = with_case("tumbling-max", r#""parameters": {}"#);
    assert_eq!(report.sum(|t| t.unknown), 1);
    assert!(report.verdict().is_err());
}

#[test]
fn a_case_that_is_unknown_without_being_listed_fails() {
    assert!(with_case("filter", r#""parameters": {}"#).verdict().is_ok());
    for (topology, parameters) in [
        ("unheard-of", r#""parameters": {}"#),
        ("filter", r#""parameters": {"unheard_of": 1}"#),
    ] {
        let verdict = with_case(topology, parameters).verdict();
        let difference = verdict.expect_err("an unknown case fails");
        assert!(difference.contains("is not known here"), "{difference}");
    }
}
