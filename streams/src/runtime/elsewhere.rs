//! The partitions of a bounded run that other members of the group read: the run waits until those have committed them.
//!
//! A member commits how far it has processed records. What is left may be no more than the marker of a transaction, behind
//! which it goes only with its next record, so a partition that is not committed to its end is looked at.

use super::bounded::Bound;
use super::shared::Shared;
use super::thread::StreamThread;
use crate::kafka::TopicPartition;
use crate::kafka::error::ClientError;
use crate::kafka::reader::PartitionReader;
use std::time::{Duration, Instant};

/// The time between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// How long what is left of a partition may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// When other members' partitions are asked for.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// `None` before the group has given this member its part: until then all may be its own, to be looked at as such.
    next: Option<Instant>,
}

impl Elsewhere {
    /// The group has told this member what is its own.
    pub(super) fn is_known(&mut self) {
        self.next.get_or_insert_with(Instant::now);
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.next.is_some_and(|next| now >= next);
        if due {
            self.next = Some(now + PAUSE);
        }
        due
    }
}

impl StreamThread {
    /// Notes the partitions of the run that other members have done.
    pub(super) fn look_elsewhere(&mut self, bound: &Bound) -> Result<(), ClientError> {
        let ours = self.work.tasks.partitions();
        // What is this member's own comes first: looking takes its time.
        if bound.has_any_of(&ours) {
            return Ok(());
        }
        let open = bound.open_but(&ours);
        if open.is_empty() || !self.elsewhere.is_due() {
            return Ok(());
        }
        let partitions: Vec<_> = open
            .iter()
            .map(|(partition, _)| partition.clone())
            .collect();
        let committed = self.committed(&partitions)?.offsets;
        bound.reached(&committed);
        let behind = committed.into_iter().filter_map(|(partition, from)| {
            let end = open.iter().find(|(p, _)| *p == partition)?.1;
            (from < end).then_some((partition, from, end))
        });
        for (partition, from, end) in behind {
            if is_without_records(&self.work.shared, &partition, from, end)? {
                bound.reached(&[(partition, end)]);
            }
        }
        Ok(())
    }
}

/// Whether there is no record between two offsets that a committed reader sees.
fn is_without_records(
    shared: &Shared,
    partition: &TopicPartition,
    from: i64,
    end: i64,
) -> Result<bool, ClientError> {
    let group = shared.topology.application_id();
    let mut reader = PartitionReader::new(&shared.properties, group)?;
    reader.assign(&[(partition.clone(), from)])?;
    let deadline = Instant::now() + READ_TIMEOUT;
    while Instant::now() < deadline && !shared.stop.is_asked() {
        let messages = reader.read(Duration::from_millis(20));
        if !messages.is_empty() {
            return Ok(false);
        }
        let positions = reader.positions()?;
        if positions.iter().any(|(p, at)| p == partition && *at >= end) {
            return Ok(true);
        }
    }
    Ok(false)
}
