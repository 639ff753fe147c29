//! Replays what Kafka Streams 4.3.1 did, step by step, through the test driver: `streams` must do the same.
//!
//! The tables are in `tests/behaviour/<topology>/<case>.json`, or in the directory that `BEHAVIOUR_TABLES` names. They were
//! captured by running Kafka Streams; no expected value was written by hand. Topologies that are not built here yet are
//! counted and named, and do not fail.
#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "behaviour/table.rs"]
mod table;
#[path = "behaviour/topologies.rs"]
mod topologies;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use streams::testing::{RawRecord, TopologyTestDriver};
use table::{Case, Emitted, Step};
use topologies::Notes;

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
            Replayed::Unknown => tally.unknown += 1,
        }
    }
    report
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
    let Some(topology) = topologies::build(&case.topology, &notes) else {
        return Replayed::Unknown;
    };
    if !case.parameters.is_empty() || !case.stores.is_empty() {
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
    Replayed::Equal { emitted }
}

fn run(driver: &mut TopologyTestDriver, step: &Step) -> streams::Result<()> {
    driver.advance_wall_clock(step.advance_wall_clock());
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

#[test]
fn a_directory_without_known_cases_fails() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    assert!(replay_all(directory.path()).verdict().is_err());
    let topology = directory.path().join("unheard-of");
    std::fs::create_dir(&topology).expect("a directory");
    std::fs::write(
        topology.join("own.json"),
        CASE.replace(r#"topology": "filter"#, r#"topology": "unheard-of"#),
    )
    .expect("a file");
    let report = replay_all(directory.path());
    assert_eq!(report.sum(|t| t.unknown), 1);
    assert!(report.verdict().is_err());
}
