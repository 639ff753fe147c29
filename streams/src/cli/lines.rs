//! Lines of text that become the records of a quick start: the program's own, or those of a file.

use crate::testing::RawRecord;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What becomes of a line.
type MakeRecord = Box<dyn Fn(&str) -> Option<RawRecord> + Send>;

pub(super) struct Lines {
    topic: String,
    own: Vec<String>,
    record: MakeRecord,
}

impl Lines {
    pub(super) fn new(topic: String, own: Vec<String>, record: MakeRecord) -> Self {
        Self { topic, own, record }
    }

    fn records(self, files: &[(String, PathBuf)]) -> Result<(String, Vec<RawRecord>)> {
        let file = files.iter().rev().find(|(topic, _)| *topic == self.topic);
        let records = match file {
            Some((_, file)) => read(file)?.lines().filter_map(&self.record).collect(),
            None => self.own.iter().filter_map(|l| (self.record)(l)).collect(),
        };
        Ok((self.topic, records))
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|source| Error::Io {
        what: format!("reading {}, which `--lines` names", file.display()),
        source,
    })
}

/// The records of each topic, from these files where they are named.
pub(super) fn records(
    lines: Vec<Lines>,
    files: &[(String, PathBuf)],
) -> Result<Vec<(String, Vec<RawRecord>)>> {
    let topics: Vec<&str> = lines.iter().map(|lines| lines.topic.as_str()).collect();
    if let Some((topic, _)) = files.iter().find(|(t, _)| !topics.contains(&t.as_str())) {
        let remedy = match topics.is_empty() {
            true => "this program takes no lines; leave `--lines` out".to_owned(),
            false => format!("choose `{}`", topics.join("` or `")),
        };
        return Err(Error::Configuration(format!(
            "`--lines {topic}=..`: this program writes no lines to a topic `{topic}`; {remedy}"
        )));
    }
    lines
        .into_iter()
        .map(|lines| lines.records(files))
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn words() -> Vec<Lines> {
        let record = |line: &str| {
            (line != "heading").then(|| RawRecord::new(None, Some(line.as_bytes().into())))
        };
        let own = ["heading", "one", "two"].map(str::to_owned);
        vec![Lines::new("words".into(), own.into(), Box::new(record))]
    }

    #[test]
    fn a_file_stands_for_the_programs_own_lines() {
        let count = |files: &[(String, PathBuf)]| {
            let (topic, records) = records(words(), files).unwrap().remove(0);
            assert_eq!(topic, "words");
            records.len()
        };
        assert_eq!(count(&[]), 2);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("words.txt");
        std::fs::write(&file, "heading\nthree\nfour\nfive\n").unwrap();
        assert_eq!(count(&[("words".into(), file)]), 3);
    }

    #[test]
    fn a_file_for_another_topic_and_one_that_is_missing_are_told() {
        let error =
            |files: &[(String, PathBuf)], lines| records(lines, files).unwrap_err().to_string();
        let other = [("word".to_owned(), PathBuf::from("words.txt"))];
        assert!(error(&other, words()).contains("choose `words`"));
        assert!(error(&other, Vec::new()).contains("leave `--lines` out"));
        let missing = [("words".to_owned(), PathBuf::from("no-such-file"))];
        assert!(error(&missing, words()).contains("reading no-such-file"));
    }
}
