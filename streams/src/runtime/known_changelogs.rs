//! Which changelogs the job has had, as its state directory tells: one that is not there any more, or is another topic of its name
//! now, is not a new one, whose store would begin with nothing. Stores in memory leave nothing else behind.

use super::instance::unusable;
use super::store_start;
use crate::kafka::topic_ids::{TopicId, TopicIds};
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file with the name of a topic a line, and its id where the cluster tells it.
#[derive(Debug, Default)]
pub(crate) struct KnownChangelogs {
    /// The state directory.
    directory: PathBuf,
    file: PathBuf,
    topics: Topics,
}

type Topics = BTreeMap<String, Option<TopicId>>;

impl KnownChangelogs {
    /// Reads what is known in a state directory, of this application on this cluster. A file that was cut short tells less.
    pub(crate) fn read(directory: &Path, application_id: &str, cluster: &str) -> Result<Self> {
        let file = directory
            .join("changelogs")
            .join(application_id)
            .join(cluster);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(|e| unusable(directory, "reading", &file, e))?,
        };
        Ok(Self {
            directory: directory.to_owned(),
            topics: text.lines().map(topic).collect(),
            file,
        })
    }

    /// Whether the job has had this topic.
    pub(super) fn has(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// The state directory that tells it.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether those that are there now are the same ones.
    ///
    /// # Errors
    ///
    /// If one was deleted and made again: what was kept in it is gone.
    pub(super) fn check(&self, ids: &TopicIds) -> Result<()> {
        let known = self.topics.iter();
        let mut known = known.filter_map(|(topic, id)| Some((topic, (*id)?, ids.of(topic)?)));
        match known.find(|(_, then, now)| then != now) {
            None => Ok(()),
            Some((topic, ..)) => {
                let directory = format!("delete the state directory {}", self.directory.display());
                Err(store_start::another_topic(
                    topic,
                    "this job has had",
                    &directory,
                ))
            }
        }
    }

    /// Notes the changelogs of a job that starts. Others stay while they exist: the job may be to have them again.
    pub(super) fn note(
        self,
        topology: &Topology,
        existing: &BTreeMap<String, i32>,
        ids: &TopicIds,
    ) -> Result<()> {
        let stores = topology.graph().stores.iter();
        let own = stores.filter(|store| store.source.is_none());
        let own = own.map(|store| {
            let topic = store.changelog_topic(topology.application_id());
            let known = self.topics.get(&topic).copied().flatten();
            let id = ids.of(&topic).or(known);
            (topic, id)
        });
        let others = self.topics.clone().into_iter();
        let mut topics: Topics = others
            .filter(|(topic, _)| existing.contains_key(topic))
            .collect();
        topics.extend(own);
        match topics == self.topics {
            true => Ok(()),
            false => self.write(&topics),
        }
    }

    /// The file is the old one or the new one, whenever the process dies.
    fn write(&self, topics: &Topics) -> Result<()> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |e| -> Error { unusable(&self.directory, "writing", &path, e) }
        };
        if let Some(parent) = self.file.parent() {
            fs::create_dir_all(parent).map_err(io(parent))?;
        }
        let new = self.file.with_added_extension("new");
        let mut file = File::create(&new).map_err(io(&new))?;
        for (topic, id) in topics {
            let id = id.map_or(0, TopicId::to_u128);
            writeln!(file, "{topic} {id:032x}").map_err(io(&new))?;
        }
        file.sync_all().map_err(io(&new))?;
        fs::rename(&new, &self.file).map_err(io(&self.file))
    }
}

/// What a line tells.
fn topic(line: &str) -> (String, Option<TopicId>) {
    let (topic, id) = line.split_once(' ').unwrap_or((line, ""));
    let id = u128::from_str_radix(id, 16).ok().and_then(TopicId::new);
    (topic.to_owned(), id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    fn topology(stores: &[&str]) -> Topology {
        let builder = TopologyBuilder::new("app");
        for store in stores {
            let _ = builder.table::<String, String>(store).named(store);
        }
        builder.build()
    }

    #[test]
    fn it_knows_the_changelogs_of_jobs_that_have_started() {
        let directory = tempfile::tempdir().unwrap();
        let read = |cluster| KnownChangelogs::read(directory.path(), "app", cluster).unwrap();
        let existing = |topics: &[&str]| topics.iter().map(|t| ((*t).to_owned(), 1)).collect();
        let one = ["app-one-changelog"];
        let untold = TopicIds::default();
        let note = |topology: &Topology, existing| read("c").note(topology, &existing, &untold);
        note(&topology(&["one"]), existing(&[])).unwrap();
        assert!(read("c").has(one[0]) && !read("c").has("app-two-changelog"));
        assert!(!read("other").has(one[0]));
        // One that the job has not got any more is known while it is there.
        let two = topology(&["two"]);
        note(&two, existing(&one)).unwrap();
        assert!(read("c").has(one[0]) && read("c").has("app-two-changelog"));
        note(&two, existing(&[])).unwrap();
        assert!(!read("c").has(one[0]) && read("c").has("app-two-changelog"));
    }

    #[test]
    fn what_a_process_left_that_died_while_it_wrote_harms_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let read = || KnownChangelogs::read(directory.path(), "app", "c").unwrap();
        let (none, untold) = (BTreeMap::new(), TopicIds::default());
        read().note(&topology(&["one"]), &none, &untold).unwrap();
        let new = read().file.with_added_extension("new");
        fs::write(&new, "app-t").unwrap();
        assert!(read().has("app-one-changelog"));
        read().note(&topology(&["two"]), &none, &untold).unwrap();
        assert!(read().has("app-two-changelog") && !new.exists());
    }

    #[test]
    fn a_changelog_of_another_id_is_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let read = || KnownChangelogs::read(directory.path(), "app", "c").unwrap();
        let ids = |id| TopicIds::of_topics([("app-one-changelog", id)]);
        let none = BTreeMap::new();
        read().note(&topology(&["one"]), &none, &ids(7)).unwrap();
        read().check(&ids(7)).unwrap();
        read().check(&TopicIds::default()).unwrap();
        let error = read().check(&ids(8)).unwrap_err().to_string();
        for part in ["`app-one-changelog`", directory.path().to_str().unwrap()] {
            assert!(error.contains(part), "{error}");
        }
    }
}
