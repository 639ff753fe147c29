//! The checkpoint: outputs and source offsets become visible together, or not at all.
//!
//! 1. no more records are read (the caller is between two records);
//! 2. everything that was written is acknowledged by the brokers;
//! 3. the offsets of the inputs are added to the transaction, with the group's metadata as it is now, so that the broker
//!    refuses a member that no longer owns them;
//! 4. the transaction is committed;
//! 5. the checkpoint is reported.
//!
//! A failure at any step leaves the transaction open; the stream thread aborts it and processes the records again.

use super::event::{Checkpoint, Event, PartitionCount};
use super::output::Delivery;
use super::tasks::{Advance, Progress};
use super::work::Work;
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
        let Some(written) = self.output.written() else {
            self.transaction_ended();
            return Ok(());
        };
        let started = Instant::now();
        let positions = match progress {
            Progress::Positions => consumer.positions()?,
            Progress::Records => Vec::new(),
        };
        let advance = self.tasks.advance(progress, &positions);
        self.output.flush()?;
        self.commit(consumer, &advance)?;
        self.tasks.committed(&advance);
        self.transaction_ended();
        self.totals.checkpoints += 1;
        self.totals.written += written.records;
        self.tell(&Event::Checkpoint(Checkpoint {
            thread: self.index,
            number: self.totals.checkpoints,
            records: counts(&advance.records),
            written: written.records,
            offsets: counts(&advance.offsets),
            took: started.elapsed(),
        }));
        Ok(())
    }

    fn commit(&mut self, consumer: &GroupConsumer, advance: &Advance) -> Result<(), ClientError> {
        match self.output.delivery() {
            Delivery::ExactlyOnce { .. } => self
                .output
                .commit(&advance.offsets, &consumer.group_metadata()?),
            Delivery::AtLeastOnce => {
                if !advance.offsets.is_empty() {
                    consumer.commit(&advance.offsets)?;
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
