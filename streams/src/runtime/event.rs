//! What a job tells about itself while it runs.

use super::JobState;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A partition and a number that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionCount {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// An offset, or a number of records.
    pub count: i64,
}

impl fmt::Display for PartitionCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}: {}", self.topic, self.partition, self.count)
    }
}

/// One committed checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The stream thread, from 0.
    pub thread: usize,
    /// The how many-th of its thread, from 1.
    pub number: u64,
    /// Records processed since the checkpoint before, by source partition.
    pub records: Vec<PartitionCount>,
    /// Records written to output topics since the checkpoint before.
    pub written: u64,
    /// The offsets that were committed with them: where each partition is read on.
    pub offsets: Vec<PartitionCount>,
    /// How long flushing and committing took.
    pub took: Duration,
}

/// Something that happened to a job.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The job passed from one state to the next.
    StateChanged {
        /// The state before.
        from: JobState,
        /// The state now.
        to: JobState,
    },
    /// A stream thread's producer is ready.
    ProducerReady {
        /// The stream thread.
        thread: usize,
        /// Its transactional id; `None` under at-least-once.
        transactional_id: Option<String>,
        /// The producer id that the broker gave it, where the client told it.
        producer_id: Option<i64>,
        /// The epoch: it grows each time the transactional id is taken over.
        epoch: Option<i16>,
    },
    /// Partitions were given to a stream thread.
    Assigned {
        /// The stream thread.
        thread: usize,
        /// `topic-partition` each.
        partitions: Vec<String>,
    },
    /// Partitions were taken from a stream thread after it had committed.
    Revoked {
        /// The stream thread.
        thread: usize,
        /// `topic-partition` each.
        partitions: Vec<String>,
    },
    /// Partitions had already gone to another member: what was not committed was aborted.
    Lost {
        /// The stream thread.
        thread: usize,
        /// `topic-partition` each.
        partitions: Vec<String>,
    },
    /// A checkpoint was committed.
    Checkpoint(Checkpoint),
    /// A record failed and the error policy let the job go on.
    RecordFailed {
        /// The stream thread.
        thread: usize,
        /// `topic-partition` of the record.
        partition: String,
        /// The record's offset.
        offset: i64,
        /// What happened, and what was done with the record.
        what: String,
    },
    /// A transaction was aborted; its records are processed again from the committed offsets.
    Recovering {
        /// The stream thread.
        thread: usize,
        /// What made it necessary, and what is done.
        why: String,
    },
}

/// Hears the events of a job, on the thread where they happen: it should return at once.
pub(crate) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Writes an event to the log, in the words of a Kafka user.
pub(crate) fn log(event: &Event) {
    match event {
        Event::StateChanged { to, .. } => tracing::info!("job is {to}"),
        Event::ProducerReady {
            thread,
            transactional_id: Some(id),
            producer_id,
            epoch,
        } => {
            let number = |n: Option<i64>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
            tracing::info!(
                "thread {thread}: transactional producer `{id}` is ready (producer id {}, epoch {})",
                number(*producer_id),
                number(epoch.map(i64::from))
            );
        }
        Event::ProducerReady { thread, .. } => {
            tracing::info!("thread {thread}: idempotent producer is ready")
        }
        Event::Assigned { thread, partitions } => {
            tracing::info!("thread {thread}: assigned {}", names(partitions));
        }
        Event::Revoked { thread, partitions } => {
            tracing::info!("thread {thread}: revoked {}", names(partitions));
        }
        Event::Lost { thread, partitions } => {
            tracing::warn!(
                "thread {thread}: lost {}; another member has them",
                names(partitions)
            );
        }
        Event::Checkpoint(checkpoint) => log_checkpoint(checkpoint),
        Event::RecordFailed {
            thread,
            partition,
            offset,
            what,
        } => {
            tracing::warn!("thread {thread}: record at offset {offset} of {partition}: {what}");
        }
        Event::Recovering { thread, why } => tracing::warn!("thread {thread}: {why}"),
    }
}

fn names(partitions: &[String]) -> String {
    if partitions.is_empty() {
        "no partitions".to_owned()
    } else {
        partitions.join(", ")
    }
}

fn log_checkpoint(checkpoint: &Checkpoint) {
    let list = |counts: &[PartitionCount]| {
        counts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let processed: i64 = checkpoint.records.iter().map(|r| r.count).sum();
    tracing::info!(
        "thread {}: checkpoint {} completed in {:.0?}: {processed} records in ({}), {} out, offsets committed ({})",
        checkpoint.thread,
        checkpoint.number,
        checkpoint.took,
        list(&checkpoint.records),
        checkpoint.written,
        list(&checkpoint.offsets),
    );
}
