//! The judge of a job that counts records by key: a recount from the inputs.
//!
//! It knows nothing of how the job works. Of each key it asks that the output has the counts 1, 2, 3, … up to the number of
//! its inputs, each once and in that order, and that the newest value in the changelog is the last of them.

use std::collections::BTreeMap;

use crate::ReadRecord;

/// What a job that counts has to have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(BTreeMap<Vec<u8>, i64>);

impl Counts {
    /// Counts `inputs` by their keys.
    pub fn of(inputs: &[ReadRecord]) -> Counts {
        Counts::by(inputs, |record| record.key.clone().unwrap_or_default())
    }

    /// Counts `inputs` by what `key` says of each.
    pub fn by(inputs: &[ReadRecord], key: impl Fn(&ReadRecord) -> Vec<u8>) -> Counts {
        let mut counts = BTreeMap::new();
        for input in inputs {
            *counts.entry(key(input)).or_default() += 1;
        }
        Counts(counts)
    }

    /// Counts the words of `inputs`, which stand between single spaces.
    pub fn of_words(inputs: &[ReadRecord]) -> Counts {
        let mut counts = BTreeMap::new();
        for word in inputs.iter().flat_map(|input| input.text().split(' ')) {
            *counts.entry(word.as_bytes().to_vec()).or_default() += 1;
        }
        Counts(counts)
    }

    /// How many updates there have to be.
    pub fn updates(&self) -> usize {
        let updates: i64 = self.0.values().sum();
        usize::try_from(updates).unwrap_or_default()
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.0.len()
    }

    /// Fails the test unless each key's history in `outputs` is 1, 2, 3, … up to its count.
    ///
    /// # Panics
    ///
    /// When it isn't; the message has the first few keys whose histories are wrong.
    #[track_caller]
    pub fn are_told_by(&self, outputs: &[ReadRecord]) {
        self.check_told(outputs)
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }

    /// Checks that each key's history in `outputs` is 1, 2, 3, … up to its count.
    ///
    /// # Errors
    ///
    /// The first few keys whose histories are wrong.
    pub fn check_told(&self, outputs: &[ReadRecord]) -> Result<(), String> {
        let mut histories: BTreeMap<&[u8], Vec<i64>> = BTreeMap::new();
        for output in outputs {
            let key = output.key.as_deref().unwrap_or_default();
            histories.entry(key).or_default().push(count(output));
        }
        let mut wrong = Vec::new();
        for (key, expected) in &self.0 {
            let history = histories.remove(key.as_slice()).unwrap_or_default();
            if !history.iter().copied().eq(1..=*expected) {
                let first = history.iter().zip(1..).find(|(found, at)| *found != at);
                wrong.push(format!(
                    "{}: counted to {expected}, {} updates, first wrong (found, expected): {first:?}",
                    String::from_utf8_lossy(key),
                    history.len(),
                ));
            }
        }
        wrong.extend(
            histories
                .keys()
                .map(|key| format!("{}: not in the input", String::from_utf8_lossy(key))),
        );
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} of {} keys are not counted exactly once, such as\n{}",
            wrong.len(),
            self.0.len(),
            wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n")
        ))
    }

    /// Fails the test unless each key's history in `outputs` rises, without a repeat, to its count: what is told of a job that
    /// holds updates back.
    ///
    /// # Panics
    ///
    /// When it doesn't.
    #[track_caller]
    pub fn are_reached_by(&self, outputs: &[ReadRecord]) {
        let mut reached: BTreeMap<&[u8], i64> = BTreeMap::new();
        for output in outputs {
            let key = output.key.as_deref().unwrap_or_default();
            let before = reached.insert(key, count(output)).unwrap_or_default();
            let text = String::from_utf8_lossy(key);
            assert!(
                before < count(output),
                "{text}: {} after {before}",
                count(output)
            );
        }
        let expected = self.0.iter().map(|(key, count)| (key.as_slice(), *count));
        assert_eq!(reached, expected.collect());
    }

    /// Fails the test unless the newest value of each key in `changelog` is its count.
    ///
    /// # Panics
    ///
    /// When it isn't; the message has the first few differences.
    #[track_caller]
    pub fn are_kept_in(&self, changelog: &[ReadRecord]) {
        self.check_kept(changelog)
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }

    /// Checks that the newest value of each key in `changelog` is its count.
    ///
    /// # Errors
    ///
    /// The first few differences.
    pub fn check_kept(&self, changelog: &[ReadRecord]) -> Result<(), String> {
        let mut newest: BTreeMap<&[u8], i64> = BTreeMap::new();
        for record in changelog {
            newest.insert(record.key.as_deref().unwrap_or_default(), count(record));
        }
        let differences: Vec<String> = self
            .0
            .iter()
            .map(|(key, expected)| (key, Some(*expected), newest.remove(key.as_slice())))
            .filter(|(_, expected, found)| expected != found)
            .map(|(key, expected, found)| {
                format!(
                    "{}: {expected:?}, kept {found:?}",
                    String::from_utf8_lossy(key)
                )
            })
            .take(5)
            .collect();
        if differences.is_empty() && newest.is_empty() {
            return Ok(());
        }
        Err(format!(
            "the changelog differs, such as in {differences:?}, and has {} keys too many",
            newest.len()
        ))
    }
}

/// A count as the job writes it: eight bytes, big-endian.
fn count(record: &ReadRecord) -> i64 {
    let bytes = record.value.as_deref().unwrap_or_default();
    i64::from_be_bytes(bytes.try_into().expect("a count of eight bytes"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::panic::catch_unwind;

    fn record(key: &str, count: i64) -> ReadRecord {
        ReadRecord {
            partition: 0,
            offset: 0,
            key: Some(key.as_bytes().to_vec()),
            value: Some(count.to_be_bytes().to_vec()),
            timestamp: 0,
            headers: Vec::new(),
        }
    }

    fn counts() -> Counts {
        Counts::of(&[record("a", 0), record("b", 0), record("a", 0)])
    }

    #[test]
    fn each_count_once_and_in_order_is_right() {
        counts().are_told_by(&[record("a", 1), record("b", 1), record("a", 2)]);
        counts().are_kept_in(&[record("b", 1), record("a", 1), record("a", 2)]);
    }

    #[test]
    fn counts_that_rise_to_the_last_one_are_reached() {
        counts().are_reached_by(&[record("b", 1), record("a", 2)]);
        let wrong = [
            vec![record("b", 1), record("a", 1)],
            vec![record("b", 1), record("a", 2), record("a", 2)],
            vec![record("a", 2)],
        ];
        for outputs in wrong {
            catch_unwind(|| counts().are_reached_by(&outputs)).unwrap_err();
        }
    }

    #[test]
    fn a_count_twice_missing_or_foreign_is_wrong() {
        let wrong = [
            vec![
                record("a", 1),
                record("b", 1),
                record("a", 1),
                record("a", 2),
            ],
            vec![record("a", 1), record("a", 2)],
            vec![
                record("a", 1),
                record("b", 1),
                record("a", 2),
                record("c", 1),
            ],
            vec![record("a", 2), record("b", 1), record("a", 1)],
        ];
        for outputs in wrong {
            catch_unwind(|| counts().are_told_by(&outputs)).unwrap_err();
        }
        let old = vec![record("a", 2), record("b", 1), record("a", 1)];
        catch_unwind(|| counts().are_kept_in(&old)).unwrap_err();
    }
}
