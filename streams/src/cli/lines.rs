//! Lines of text that become the records of a quick start: the program's own, or those of a file.

use super::Sample;
use crate::kafka::record_limits::MESSAGE_MAX_BYTES;
use crate::testing::RawRecord;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What a file begins with that gzip has made.
const GZIP: &[u8] = &[0x1f, 0x8b];

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
        let records = match file_of(&self.topic, files) {
            Some(file) => read(file, &self.record)?,
            None => self.own.iter().filter_map(|l| (self.record)(l)).collect(),
        };
        Ok((self.topic, records))
    }
}

fn file_of<'f>(topic: &str, files: &'f [(String, PathBuf)]) -> Option<&'f Path> {
    let file = files.iter().find(|(named, _)| named == topic)?;
    Some(&file.1)
}

/// The records of a file's lines. What is wrong with a line is told with its number.
fn read(file: &Path, record: impl Fn(&str) -> Option<RawRecord>) -> Result<Vec<RawRecord>> {
    let bytes = std::fs::read(file).map_err(|source| Error::Io {
        what: format!("reading {}, which `--lines` names", file.display()),
        source,
    })?;
    let refused = |line: usize, reason: String| {
        Error::Configuration(format!("{}:{line}: {reason}", file.display()))
    };
    if bytes.starts_with(GZIP) {
        let reason = "the file is compressed by gzip, and `--lines` takes text; unpack it first";
        return Err(refused(1, reason.to_owned()));
    }
    let mut records = Vec::new();
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = number + 1;
        let text = str::from_utf8(line).map_err(|error| {
            let at = error.valid_up_to() + 1;
            refused(
                number,
                format!("the line is no UTF-8 text: its byte {at} begins no character; convert the file first"),
            )
        })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let Some(record) = record(text) else {
            continue;
        };
        let part = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let size = part(&record.key) + part(&record.value);
        if size > MESSAGE_MAX_BYTES {
            return Err(refused(
                number,
                format!(
                    "the line makes a record of {size} bytes, and Kafka takes at most {MESSAGE_MAX_BYTES}; split the line, or leave it out"
                ),
            ));
        }
        records.push(record);
    }
    Ok(records)
}

/// What the topics are filled with: samples that keep coming, and records that are there once.
pub(super) struct Filling {
    pub(super) samples: Vec<(String, Sample)>,
    pub(super) records: Vec<(String, Vec<RawRecord>)>,
}

/// Why these files cannot be meant: a topic that takes none, or two for one.
pub(super) fn refusal(
    lines: &[Lines],
    samples: &[(String, Sample)],
    files: &[(String, PathBuf)],
) -> Option<String> {
    let of_lines = lines.iter().map(|lines| lines.topic.as_str());
    let topics: Vec<&str> = of_lines
        .chain(samples.iter().map(|(topic, _)| topic.as_str()))
        .collect();
    if let Some((topic, _)) = files.iter().find(|(t, _)| !topics.contains(&t.as_str())) {
        return Some(match topics.is_empty() {
            true => {
                format!("`--lines {topic}=..`: this program takes no lines; leave `--lines` out")
            }
            false => format!(
                "`--lines {topic}=..`: this program writes no lines to a topic `{topic}`; choose `{}`",
                topics.join("` or `")
            ),
        });
    }
    files.iter().enumerate().find_map(|(at, (topic, file))| {
        let mut later = files.iter().skip(at + 1);
        let (_, other) = later.find(|(other, _)| other == topic)?;
        let (file, other) = (file.display(), other.display());
        Some(format!(
            "`--lines {topic}={file}` and `--lines {topic}={other}`: a topic is filled from one file; leave one of them out, or \
             put both into one file"
        ))
    })
}

/// What the topics are filled with, from these files where they are named: the lines of one that stands for samples are the
/// values of records without a key.
pub(super) fn fill(
    lines: Vec<Lines>,
    samples: Vec<(String, Sample)>,
    files: &[(String, PathBuf)],
) -> Result<Filling> {
    let mut filling = Filling {
        samples: Vec::new(),
        records: Vec::new(),
    };
    for lines in lines {
        filling.records.push(lines.records(files)?);
    }
    for (topic, sample) in samples {
        match file_of(&topic, files) {
            Some(file) => {
                let value = |line: &str| Some(RawRecord::new(None, Some(line.as_bytes().into())));
                filling.records.push((topic, read(file, value)?));
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
    fn a_file_for_another_topic_and_two_for_one_are_refused() {
        let file = |topic: &str, file: &str| (topic.to_owned(), PathBuf::from(file));
        let refusal = |lines: &[Lines], files: &[(String, PathBuf)]| refusal(lines, &[], files);
        let other = [file("word", "words.txt")];
        assert!(
            refusal(&words(), &other)
                .unwrap()
                .contains("choose `words`")
        );
        let none = refusal(&[], &other).unwrap();
        assert!(none.contains("leave `--lines` out"), "{none}");
        let one = [file("words", "one.txt")];
        assert_eq!(refusal(&words(), &one), None);
        let twice = [file("words", "one.txt"), file("words", "two.txt")];
        let twice = refusal(&words(), &twice).unwrap();
        assert!(
            twice.contains("words=one.txt") && twice.contains("words=two.txt"),
            "{twice}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_file_and_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("words.txt");
        let files = [("words".to_owned(), file.clone())];
        let error = || {
            let filled = fill(words(), Vec::new(), &files);
            filled.err().unwrap().to_string()
        };
        assert!(error().contains("words.txt, which `--lines` names"));
        let long = "x".repeat(MESSAGE_MAX_BYTES + 1);
        for (content, line, expected) in [
            (b"\x1f\x8b\x08\x00".to_vec(), 1, "compressed by gzip"),
            (b"one\ntwo\xff\n".to_vec(), 2, "its byte 4 begins no"),
            (
                format!("one\r\n\n{long}").into(),
                3,
                "a record of 1000001 bytes",
            ),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = error();
            let place = format!("words.txt:{line}: ");
            assert!(
                error.contains(&place) && error.contains(expected),
                "{error}"
            );
        }
        std::fs::write(&file, "x".repeat(MESSAGE_MAX_BYTES)).unwrap();
        assert_eq!(fill(words(), Vec::new(), &files).unwrap().records.len(), 1);
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
