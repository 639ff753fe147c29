//! The tables' format.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use streams::testing::{RawRecord, TestRecord};

/// One run of one topology.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) case: String,
    pub(crate) topology: String,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) stores: Map<String, Value>,
}

/// A record that is sent, or time that goes by; and all that was emitted until the next step.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) send: Option<Send>,
    advance_wall_clock_ms: Option<u64>,
    pub(crate) expect: Vec<Emitted>,
    /// Kafka Streams threw.
    #[serde(default)]
    pub(crate) fails: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Send {
    pub(crate) topic: String,
    key: Option<String>,
    value: Option<String>,
    timestamp: i64,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
}

/// A record of an output topic, or a side effect, which has a topic that begins with `@` and no timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emitted {
    pub(crate) topic: String,
    pub(crate) key: Value,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: Option<i64>,
    #[serde(default)]
    pub(crate) headers: Vec<(String, Option<String>)>,
}

impl Step {
    pub(crate) fn advance_wall_clock(&self) -> Duration {
        Duration::from_millis(self.advance_wall_clock_ms.unwrap_or_default())
    }
}

impl Send {
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(crate) fn record(&self) -> RawRecord {
        let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
        let mut record = TestRecord::new(bytes(&self.key), bytes(&self.value)).at(self.timestamp);
        for (name, value) in &self.headers {
            record
                .headers
                .add(name, value.as_deref().map(str::as_bytes));
        }
        record
    }
}

impl Emitted {
    /// A side effect.
    pub(crate) fn note(topic: &str, key: Option<&str>, value: Option<&str>) -> Self {
        let value = value.map(str::to_owned);
        Self {
            topic: topic.to_owned(),
            key: key.into(),
            value,
            timestamp: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn of(topic: String, record: &RawRecord) -> Self {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (name.to_owned(), value.map(text)))
            .collect();
        let key = record.key.as_deref().map(text).into();
        Self {
            topic,
            key,
            value: record.value.as_deref().map(text),
            timestamp: record.timestamp,
            headers,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Within a topic the order counts, between topics there is none.
pub(crate) fn by_topic(
    emitted: impl IntoIterator<Item = Emitted>,
) -> BTreeMap<String, Vec<Emitted>> {
    let mut topics: BTreeMap<String, Vec<Emitted>> = BTreeMap::new();
    for record in emitted {
        topics.entry(record.topic.clone()).or_default().push(record);
    }
    topics
}

pub(crate) fn parse(text: &str) -> serde_json::Result<Case> {
    serde_json::from_str(text)
}

/// Reads the cases of `<directory>/<topology>/<case>.json`; `describe` has another format.
pub(crate) fn read_all(directory: &Path) -> Vec<Case> {
    let topologies = entries(directory)
        .into_iter()
        .filter(|path| path.is_dir() && !path.ends_with("describe"));
    let files = topologies.flat_map(|topology| entries(&topology));
    let cases = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
    cases.map(|path| read(&path)).collect()
}

fn read(path: &Path) -> Case {
    let text = fs::read_to_string(path).expect("a table can be opened");
    parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listed =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    paths.sort();
    paths
}
