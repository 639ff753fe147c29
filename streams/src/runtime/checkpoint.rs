//! The checkpoint: outputs, changes of state and source offsets become visible together, or not at all.
//!
//! 1. no more records are read (the caller is between two records);
//! 2. updates that wait in record caches are sent on, and then what the stores have changed is written to their changelogs;
//! 3. everything that was written is acknowledged by the brokers, and the ends of the changelogs are asked for;
//! 4. the offsets of the inputs are added to the transaction, with the group's metadata of when the member was given
//!    its partitions, so that the broker refuses one that no longer owns them;
//! 5. the transaction is committed;
//! 6. what the stores have changed is applied to them, with the ends of their changelogs;
//! 7. the checkpoint is reported.
//!
//! A failure before the commit leaves the transaction open; the stream thread aborts it and processes the records again. One
//! after it ends the job: the stores lack what their changelogs have, and the next start reads it from there.

use super::delivery::Delivery;
use super::event::{Checkpoint, Event, PartitionCount};
use super::progress::{Advance, Progress};
use super::work::Work;
use crate::fail_point::{FailPoint, pass};
use crate::kafka::TopicPartition;
use crate::kafka::consumer::GroupConsumer;
use crate::kafka::error::ClientError;
use std::sync::Arc;
use std::time::Instant;

impl Work {
    /// Commits what was processed since the last checkpoint; does nothing if nothing was.
    pub(super) fn checkpoint(
        &mut self,
        consumer: &GroupConsumer,
        progress: Progress,
    ) -> Result<(), super::work::Interrupt> {
        if self.output.written().is_none() {
            self.restart_interval();
            return Ok(());
        }
        let started = Instant::now();
        self.output.note_commit(self.tasks.unapplied_bytes());
        self.flush_record_caches()?;
        let written = self.output.written().unwrap_or_default();
        let positions = match progress {
            Progress::Positions => consumer.positions()?,
            Progress::Records => Vec::new(),
        };
        let advance = self.tasks.advance(progress, &positions);
        pass(FailPoint::BeforeChangelog);
        let mut changelogs = self.write_changelogs()?;
        pass(FailPoint::AfterChangelog);
        self.output.flush()?;
        self.locate(&mut changelogs)?;
        pass(FailPoint::AfterFlush);
        self.commit(consumer, &advance)?;
        self.apply(&changelogs, &advance)?;
        self.tasks.committed(&advance);
        self.shared.purge.note(&advance.offsets);
        self.restart_interval();
        self.output.look_up_partitions();
        self.totals.checkpoints += 1;
        self.totals.written += written.records;
        self.tell(&Event::Checkpoint(Checkpoint {
            thread: self.index,
            number: self.totals.checkpoints,
            records: counts(&advance.records),
            written: written.records,
            offsets: counts(&advance.offsets),
            changelog_offsets: counts(&changelogs.offsets()),
            changelogs: changelogs.written,
            took: started.elapsed(),
        }));
        self.shared.tell_disk_use();
        Ok(())
    }

    fn commit(&mut self, consumer: &GroupConsumer, advance: &Advance) -> Result<(), ClientError> {
        match self.output.delivery() {
            Delivery::ExactlyOnce { .. } => {
                let committer = consumer.committer()?;
                self.output
                    .commit(&advance.offsets, &advance.times, &committer)
            }
            Delivery::AtLeastOnce => {
                if !advance.offsets.is_empty() {
                    consumer.commit(&advance.offsets, &advance.times)?;
                }
                self.output.committed_without_transaction();
                Ok(())
            }
        }
    }
}

fn counts(of: &[(TopicPartition, i64)]) -> Vec<PartitionCount> {
    let count = |(partition, count): &(TopicPartition, i64)| PartitionCount {
        topic: Arc::clone(&partition.topic),
        partition: partition.partition,
        count: *count,
    };
    of.iter().map(count).collect()
}
