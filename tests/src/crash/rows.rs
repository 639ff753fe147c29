//! Rows that change and go, and a recount of their sums by group.

use std::collections::BTreeMap;

use rdkafka::producer::BaseRecord;

use crate::{CopyJob, Random, ReadRecord, Sender, TestCluster};

const KEYS: u64 = 300;
const GROUPS: i64 = 40;
/// One of so many updates removes its row.
const REMOVED_ONE_OF: u64 = 8;

/// The group that a row of this value belongs to: most updates move the row from one to another.
pub fn group_of(value: i64) -> String {
    format!("group {}", value % GROUPS)
}

/// Writes or removes a row.
pub(super) fn send(sender: &Sender, input: &str, random: &mut Random) {
    let key = format!("row {}", random.between(0, KEYS - 1));
    let value = random.between(0, 9_999).to_be_bytes();
    let record = BaseRecord::to(input).key(&key);
    sender.send(match random.between(1, REMOVED_ONE_OF) {
        1 => record,
        _ => record.payload(&value),
    });
}

/// The newest number of each key; none where it was removed.
fn newest(records: &[ReadRecord]) -> BTreeMap<String, Option<i64>> {
    let number = |value: &[u8]| {
        let bytes = value.try_into().expect("a number of eight bytes");
        i64::from_be_bytes(bytes)
    };
    let row = |record: &ReadRecord| {
        let key = String::from_utf8(record.key.clone().unwrap_or_default());
        (key.expect("a key"), record.value.as_deref().map(number))
    };
    records.iter().map(row).collect()
}

/// The sum of each group, but for those that come to nothing, of which a topic cannot tell whether they have rows.
fn sums(inputs: &[ReadRecord]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for value in newest(inputs).into_values().flatten() {
        *sums.entry(group_of(value)).or_default() += value;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What a topic tells of the groups, but for those that have no rows any more.
fn told(records: &[ReadRecord]) -> BTreeMap<String, i64> {
    let newest = newest(records).into_iter();
    newest
        .filter_map(|(group, sum)| Some((group, sum?)))
        .filter(|(_, sum)| *sum != 0)
        .collect()
}

pub(super) fn is_worked_off(cluster: &TestCluster, job: &CopyJob<'_>) -> bool {
    let expected = sums(&cluster.read_committed(&job.input));
    told(&cluster.read_committed(&job.output)) == expected
}

/// Adds up again what the rows are, and compares: an update that was lost or doubled would stay in the sums.
#[track_caller]
pub(super) fn judge(cluster: &TestCluster, job: &CopyJob<'_>) {
    let expected = sums(&cluster.read_committed(&job.input));
    for topic in [
        &job.output,
        &format!("{}-sums-changelog", job.application_id),
    ] {
        assert_eq!(told(&cluster.read_committed(topic)), expected, "{topic}");
    }
}
