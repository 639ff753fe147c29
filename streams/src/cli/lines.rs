//! Lines of text that become the records of a quick start: the program's own, or those of a file.

use super::Sample;
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

/// What the topics are filled with: samples that keep coming, and records that are there once.
pub(super) struct Filling {
    pub(super) samples: Vec<(String, Sample)>,
    pub(super) records: Vec<(String, Vec<RawRecord>)>,
}

/// What the topics are filled with, from these files where they are named: the lines of one that stands for samples are the
/// values of records without a key.
pub(super) fn fill(
    lines: Vec<Lines>,
    samples: Vec<(String, Sample)>,
    files: &[(String, PathBuf)],
) -> Result<Filling> {
    let of_lines = lines.iter().map(|lines| lines.topic.as_str());
    let topics: Vec<&str> = of_lines
        .chain(samples.iter().map(|(topic, _)| topic.as_str()))
        .collect();
    if let Some((topic, _)) = files.iter().find(|(t, _)| !topics.contains(&t.as_str())) {
        return Err(Error::Configuration(match topics.is_empty() {
            true => {
                format!("`--lines {topic}=..`: this program takes no lines; leave `--lines` out")
            }
            false => format!(
                "`--lines {topic}=..`: this program writes no lines to a topic `{topic}`; choose `{}`",
                topics.join("` or `")
            ),
        }));
    }
    let mut filling = Filling {
        samples: Vec::new(),
        records: Vec::new(),
    };
    for lines in lines {
        filling.records.push(lines.records(files)?);
    }
    for (topic, sample) in samples {
        match files.iter().rev().find(|(t, _)| *t == topic) {
            Some((_, file)) => {
                let value = |line: &str| RawRecord::new(None, Some(line.as_bytes().into()));
                let records = read(file)?.lines().map(value).collect();
                filling.records.push((topic, records));
            }
            None => filling.samples.push((topic, sample)),
        }
    }
    Ok(filling)
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
            let filling = fill(words(), Vec::new(), files).unwrap();
            let (topic, records) = filling.records.into_iter().next().unwrap();
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
        let error = |files: &[(String, PathBuf)], lines| {
            let filled = fill(lines, Vec::new(), files);
            filled.err().unwrap().to_string()
        };
        let other = [("word".to_owned(), PathBuf::from("words.txt"))];
        assert!(error(&other, words()).contains("choose `words`"));
        assert!(error(&other, Vec::new()).contains("leave `--lines` out"));
        let missing = [("words".to_owned(), PathBuf::from("no-such-file"))];
        assert!(error(&missing, words()).contains("reading no-such-file"));
    }

    #[test]
    fn a_file_stands_for_samples() {
        let samples = || -> Vec<(String, Sample)> {
            let sample: Sample = Box::new(|n| format!("sample {n}"));
            vec![("texts".into(), sample)]
        };
        let filling = fill(words(), samples(), &[]).unwrap();
        assert_eq!((filling.samples.len(), filling.records.len()), (1, 1));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("text.txt");
        std::fs::write(&file, "to be\r\n\nor not to be").unwrap();
        let filling = fill(words(), samples(), &[("texts".into(), file)]).unwrap();
        assert!(filling.samples.is_empty());
        let (topic, records) = filling.records.last().unwrap();
        let value = |text: &str| RawRecord::new(None, Some(text.as_bytes().into()));
        assert_eq!(topic, "texts");
        assert_eq!(*records, ["to be", "", "or not to be"].map(value));
    }
}
