//! The topics that a topology names, as the cluster has them.

use super::startup::{ANSWER_TIMEOUT, blocking};
use crate::kafka::admin::Admin;
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Not each of several brokers knows of a topic as soon as it is created.
const SPREADING: Duration = Duration::from_secs(3);

/// How long until one of them is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Topics with their partition counts.
type Counts = BTreeMap<String, i32>;

pub(super) struct Topics {
    /// All that the cluster has.
    pub(super) all: Counts,
    pub(super) sources: Counts,
    pub(super) global_tables: Counts,
    pub(super) sinks: Counts,
    pub(super) dead_letters: Counts,
}

impl Topics {
    /// Asks a cluster of so many brokers; the error names all topics that are not there.
    pub(super) async fn look_up(
        topology: &Topology,
        mut admin: Admin,
        brokers: usize,
    ) -> Result<(Admin, Self)> {
        let start = Instant::now();
        loop {
            let all;
            (admin, all) = blocking(move || {
                let topics = admin.topics(ANSWER_TIMEOUT)?;
                Ok((admin, topics))
            })
            .await?;
            match Self::of(topology, all) {
                Ok(topics) => return Ok((admin, topics)),
                Err(missing) if brokers < 2 || start.elapsed() > SPREADING => {
                    return Err(Error::Cluster(missing));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Those of a topology among all, or what says which are missing.
    fn of(topology: &Topology, all: Counts) -> Result<Self, String> {
        let (mut read, mut written) = (Search::of(&all), Search::of(&all));
        let sources = read.find(topology.source_topics());
        let global_tables = read.find(topology.global_topics());
        let sinks = written.find(topology.sink_topics());
        let dead_letters = written.find(topology.config().dead_letter_topics());
        let lines: Vec<String> = [("source", read), ("output", written)]
            .into_iter()
            .filter_map(|(what, search)| search.told(what))
            .collect();
        if !lines.is_empty() {
            let job = topology.application_id();
            return Err(format!("job `{job}`: {}", lines.join("; ")));
        }
        Ok(Self {
            sources,
            global_tables,
            sinks,
            dead_letters,
            all,
        })
    }
}

/// Looks topics up, and remembers which are not there.
struct Search<'a> {
    all: &'a Counts,
    missing: Vec<String>,
}

impl<'a> Search<'a> {
    fn of(all: &'a Counts) -> Self {
        Self {
            all,
            missing: Vec::new(),
        }
    }

    fn find<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Counts {
        let mut found = Counts::new();
        for name in names {
            match self.all.get(name) {
                Some(partitions) => {
                    found.insert(name.to_owned(), *partitions);
                }
                None => self.missing.push(format!("`{name}`")),
            }
        }
        found
    }

    /// What is missing, if anything is.
    fn told(mut self, what: &str) -> Option<String> {
        self.missing.sort();
        self.missing.dedup();
        match self.missing.as_slice() {
            [] => None,
            [name] => Some(format!(
                "{what} topic {name} does not exist; create it, or check the name"
            )),
            names => Some(format!(
                "{what} topics {} do not exist; create them, or check the names",
                names.join(", ")
            )),
        }
    }
}
