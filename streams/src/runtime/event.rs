//! What a job tells about itself while it runs.

use super::JobState;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// What was written to the changelogs of state stores, by store.
    pub changelogs: Vec<ChangelogWritten>,
    /// Where these changelogs ended before the commit: so far reach the stores now, each task's.
    pub changelog_offsets: Vec<PartitionCount>,
    /// How long flushing and committing took.
    pub took: Duration,
}

/// What a checkpoint has written to the changelog of a store: one record for each key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogWritten {
    /// The store.
    pub store: String,
    /// Records, of all tasks of the thread.
    pub records: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// How far the restore of a task's store is.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The stream thread of the task.
    pub thread: usize,
    /// The task, as Kafka Streams calls it: `0_3`.
    pub task: String,
    /// The store.
    pub store: String,
    /// `topic-partition` of its changelog.
    pub changelog: String,
    /// The offset up to which the store had been written.
    pub from: i64,
    /// The offset where it is read on. It may be behind the end: what is written meanwhile is read along.
    pub position: i64,
    /// The offset where the changelog ended when the restore began.
    pub end: i64,
    /// Records read.
    pub records: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
    /// Since the restore began.
    pub took: Duration,
    /// How often this restore was told before.
    pub number: u32,
    /// What it is at.
    pub status: RestoreStatus,
}

/// What the restore of a store is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreStatus {
    /// It is being read.
    Restoring,
    /// The store has all that its changelog has.
    Completed,
    /// It was given up before its end, because the task was taken away or the job ends: what was read is kept, and whoever
    /// has the task next goes on there.
    Suspended,
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
    /// The state of a task is being brought up to date with its changelogs: told when that begins, twice a second, and
    /// when it is completed or suspended.
    Restore(Restore),
    /// The global tables have all that is in their topics; the job begins.
    GlobalTablesRead {
        /// How many records were read for that: on disk, those that have come since the last process.
        records: u64,
        /// How long it took.
        took: Duration,
    },
    /// What the stores of the process take up on disk: told with its first checkpoint, then once a minute.
    DiskUse {
        /// Bytes, of all stores, with what is not compacted yet.
        bytes: u64,
        /// The files that the process has open, sockets among them; `None` where the system does not tell.
        open_files: Option<usize>,
    },
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
    /// Records were gone before they were read (retention, DeleteRecords): reading goes on where the offset reset says.
    OffsetReset {
        /// The stream thread.
        thread: usize,
        /// `topic-partition`.
        partition: String,
        /// Where it was to be read from.
        from: i64,
        /// Where it is read from now.
        to: i64,
    },
    /// A punctuator failed, or a record that had waited in a buffer, or a table's update that had waited in the record
    /// cache, and the error policy let the job go on.
    PunctuatorFailed {
        /// The stream thread.
        thread: usize,
        /// The task, as Kafka Streams writes it: `<sub-topology>_<partition>`.
        task: String,
        /// The name of its processor in the topology.
        processor: String,
        /// What happened, and what was done.
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
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Fn(&Event) + Send + Sync>);

impl Listener {
    pub(crate) fn new(hear: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// A listener that panics must not be taken for a record that fails, and must not keep the job from ending.
    pub(crate) fn tell(&self, event: &Event) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(event))).is_err() {
            tracing::error!(?event, "the job's listener panicked");
        }
    }
}

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
        Event::Restore(restore) => log_restore(restore),
        Event::RecordFailed {
            thread,
            partition,
            offset,
            what,
        } => {
            tracing::warn!("thread {thread}: record at offset {offset} of {partition}: {what}");
        }
        Event::OffsetReset {
            thread,
            partition,
            from,
            to,
        } => {
            tracing::warn!(
                "thread {thread}: offset {from} of {partition} is no longer in the log; reading goes on at {to}"
            );
        }
        Event::PunctuatorFailed {
            thread,
            task,
            processor,
            what,
        } => {
            tracing::warn!(
                "thread {thread}: `{processor}` in task {task}, apart from a record: {what}"
            );
        }
        Event::GlobalTablesRead { records, took } => {
            tracing::info!("the global tables are read: {records} records in {took:.0?}");
        }
        Event::DiskUse { bytes, open_files } => {
            let files = open_files.map(|n| format!("; {n} files are open"));
            tracing::info!(
                "the state stores take up {:.1} MB on disk{}",
                *bytes as f64 / 1e6,
                files.unwrap_or_default()
            );
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

/// A restore is told twice a second, for those who draw it; the log has a line every five.
const LOGGED_ONE_OF: u32 = 10;

fn log_restore(restore: &Restore) {
    let Restore {
        thread,
        task,
        store,
        changelog,
        from,
        position,
        end,
        records,
        took,
        number,
        status,
        ..
    } = restore;
    match status {
        _ if from >= end => {
            tracing::debug!(
                "thread {thread}: store `{store}` of task {task} is up to date at {end}"
            );
        }
        RestoreStatus::Completed => tracing::info!(
            "thread {thread}: store `{store}` of task {task} is restored: {records} records of {changelog} from offset {from} to {position} in {took:.0?}"
        ),
        RestoreStatus::Suspended => tracing::info!(
            "thread {thread}: the restore of store `{store}` of task {task} is suspended: {records} records of {changelog} from offset {from} to {position} in {took:.0?}, of {end}"
        ),
        RestoreStatus::Restoring if number.is_multiple_of(LOGGED_ONE_OF) => {
            let percent = (position - from) * 100 / (end - from).max(1);
            tracing::info!(
                "thread {thread}: restoring store `{store}` of task {task} from {changelog}: {percent} %, at offset {position} of {end}"
            );
        }
        RestoreStatus::Restoring => {}
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
    let changelogs: String = checkpoint
        .changelogs
        .iter()
        .map(|c| format!(", {} changes of `{}`", c.records, c.store))
        .collect();
    let processed: i64 = checkpoint.records.iter().map(|r| r.count).sum();
    tracing::info!(
        "thread {}: checkpoint {} completed in {:.0?}: {processed} records in ({}), {} out, offsets committed ({}){changelogs}",
        checkpoint.thread,
        checkpoint.number,
        checkpoint.took,
        list(&checkpoint.records),
        checkpoint.written,
        list(&checkpoint.offsets),
    );
    if !checkpoint.changelog_offsets.is_empty() {
        tracing::debug!(
            "thread {}: stores reach changelog offsets ({})",
            checkpoint.thread,
            list(&checkpoint.changelog_offsets)
        );
    }
}
