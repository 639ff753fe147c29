//! What the restores of a job had to read, by the log of an instance.

use std::collections::HashMap;

use crate::ReadRecord;

/// A restore, and how far its store was known to reach before.
#[derive(Debug, PartialEq, Eq)]
pub struct ToldRestore {
    /// `topic-partition`.
    pub changelog: String,
    /// How many records it read.
    pub records: u64,
    /// The offset that the last checkpoint which this instance has applied, or its last restore, had reached; 0 before any.
    pub applied: i64,
    /// How far it read, which may be beyond where the changelog ended when it began.
    pub end: i64,
}

impl ToldRestore {
    /// All restores in the log of an instance that keeps its state directory, whose level is `debug` for
    /// `streams::runtime::event`.
    pub fn of_log(log: &str) -> Vec<ToldRestore> {
        let mut reached: HashMap<String, i64> = HashMap::new();
        let mut restores = Vec::new();
        for line in log.lines() {
            if let Some((_, offsets)) = line.split_once("stores reach changelog offsets (") {
                reached.extend(offsets.trim_end_matches(')').split(", ").filter_map(offset));
            } else if let Some((changelog, records, end)) = restore(line) {
                let applied = reached.insert(changelog.to_owned(), end).unwrap_or(0);
                restores.push(ToldRestore {
                    changelog: changelog.to_owned(),
                    records,
                    applied,
                    end,
                });
            }
        }
        restores
    }

    /// The changelog's topic.
    pub fn topic(&self) -> &str {
        let parts = self.changelog.rsplit_once('-');
        parts.map_or(&*self.changelog, |(topic, _)| topic)
    }

    /// Checks that it read no more than what was written since the last checkpoint that the instance has applied:
    /// `records` are all that the changelog's topic has.
    ///
    /// # Panics
    ///
    /// When it read more.
    #[track_caller]
    pub fn reads_no_more_than_it_lacks(&self, records: &[ReadRecord]) {
        let partition = self.changelog.rsplit_once('-').map(|(_, number)| number);
        let partition: Option<i32> = partition.and_then(|number| number.parse().ok());
        let lacked = records.iter().filter(|record| {
            Some(record.partition) == partition && (self.applied..self.end).contains(&record.offset)
        });
        let lacked = lacked.count() as u64;
        assert!(
            self.records <= lacked,
            "{self:?}: {lacked} records were written since the last checkpoint was applied"
        );
    }
}

/// `count-changelog-3: 17`.
fn offset(text: &str) -> Option<(String, i64)> {
    let (changelog, offset) = text.rsplit_once(": ")?;
    Some((changelog.to_owned(), offset.parse().ok()?))
}

/// `… is restored: 12 records of count-changelog-3 from offset 5 to 20 in 1s`, or `is suspended`: changelog, records, and
/// where it ended.
fn restore(line: &str) -> Option<(&str, u64, i64)> {
    let (_, told) = line
        .split_once(" is restored: ")
        .or_else(|| line.split_once(" is suspended: "))?;
    let (records, told) = told.split_once(" records of ")?;
    let (changelog, told) = told.split_once(" from offset ")?;
    let (_, told) = told.split_once(" to ")?;
    let (end, _) = told.split_once(' ')?;
    Some((changelog, records.parse().ok()?, end.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO thread 0: store `c` of task 1_0 is restored: 3 records of c-changelog-0 from offset 0 to 5 in 1ms
DEBUG thread 0: stores reach changelog offsets (c-changelog-1: 2, c-changelog-0: 7)
INFO job is starting
INFO thread 1: store `c` of task 1_0 is restored: 2 records of c-changelog-0 from offset 7 to 11 in 1ms";

    fn record(partition: i32, offset: i64) -> ReadRecord {
        ReadRecord {
            partition,
            offset,
            key: None,
            value: None,
            timestamp: 0,
            headers: Vec::new(),
        }
    }

    fn last() -> ToldRestore {
        ToldRestore::of_log(LOG).pop().expect("two restores")
    }

    #[test]
    fn a_log_tells_how_far_a_store_was_before_each_restore() {
        let restores = ToldRestore::of_log(LOG);
        let applied: Vec<i64> = restores.iter().map(|restore| restore.applied).collect();
        assert_eq!(applied, [0, 7]);
        let told = last();
        assert_eq!(
            (told.changelog.as_str(), told.records, told.end),
            ("c-changelog-0", 2, 11)
        );
    }

    #[test]
    fn a_restore_of_what_came_since_is_right() {
        last().reads_no_more_than_it_lacks(&[record(0, 5), record(0, 8), record(0, 9)]);
    }

    #[test]
    #[should_panic(expected = "1 records were written since the last checkpoint was applied")]
    fn a_restore_of_what_was_applied_is_wrong() {
        last().reads_no_more_than_it_lacks(&[record(0, 5), record(1, 8), record(0, 9)]);
    }
}
