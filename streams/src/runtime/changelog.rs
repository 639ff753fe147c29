//! What the tasks' stores have changed, on its way to Kafka: written at the checkpoint, one record for each key however
//! often it changed, in the transaction that commits the inputs of the change.
//!
//! The offset that a store remembers is the end of its changelog after everything was acknowledged, asked of the leaders
//! before the commit. It is behind all that this transaction wrote. Nothing else can be below it that counts: a task has
//! one owner in a generation of the group, and a transaction of an earlier generation is refused when it commits. An end
//! that is told too low, as by a new leader, is no harm: the next restore reads some records again.

use super::delivery::Delivery;
use super::event::ChangelogWritten;
use super::progress::Advance;
use super::tasks::offset_of;
use super::work::{Interrupt, Work};
use crate::Error;
use crate::fail_point::{FailPoint, pass};
use crate::kafka::TopicPartition;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::processor::{Headers, StagedRecord, TaskId};
use crate::state::{Reached, StoreId};
use std::sync::Arc;

/// The changelogs that a checkpoint has written to.
#[derive(Debug, Default)]
pub(super) struct Changelogs {
    partitions: Vec<TopicPartition>,
    /// Whose they are, in the same order.
    stores: Vec<(TaskId, StoreId)>,
    /// Behind the last record of each, once it is known.
    reached: Vec<Reached>,
    /// Stores that are restored from an input of theirs, which nothing is written to: they reach as far as it is processed.
    inputs: Vec<(TaskId, StoreId, TopicPartition)>,
    pub(super) written: Vec<ChangelogWritten>,
}

impl Changelogs {
    fn reached(&self, task: TaskId, store: StoreId, advance: &Advance) -> Option<Reached> {
        if let Some(at) = self.stores.iter().position(|s| *s == (task, store)) {
            return self.reached.get(at).copied();
        }
        let is_of = |(t, s, _): &&(TaskId, StoreId, TopicPartition)| (*t, *s) == (task, store);
        let (_, _, input) = self.inputs.iter().find(is_of)?;
        offset_of(input, &advance.offsets).map(Reached::Read)
    }

    fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.inputs.is_empty()
    }

    /// How far each was written.
    pub(super) fn offsets(&self) -> Vec<(TopicPartition, i64)> {
        let offsets = self.reached.iter().map(|reached| reached.offset());
        self.partitions.iter().cloned().zip(offsets).collect()
    }

    fn count(&mut self, store: &str, records: u64, bytes: u64) {
        match self.written.iter_mut().find(|w| w.store == store) {
            Some(written) => {
                written.records += records;
                written.bytes += bytes;
            }
            None => self.written.push(ChangelogWritten {
                store: store.to_owned(),
                records,
                bytes,
            }),
        }
    }
}

/// A row that its changelog does not take. No policy can skip it: the store would hold what a restore does not bring back.
#[cold]
fn refused(store: &str, key: &[u8], refusal: &str) -> ClientError {
    const SHOWN: usize = 100;
    let shown = String::from_utf8_lossy(key.get(..SHOWN).unwrap_or(key));
    let message = format!(
        "a row of the state store `{store}`, under the key {shown:?}, cannot be kept: {refusal}"
    );
    let doing = "writing a changelog";
    ClientError::new(doing, Code::InvalidArgument, message).with_remedy(Remedy::Fail)
}

impl Work {
    /// Hands the changes of all stores over to the client.
    pub(super) fn write_changelogs(&mut self) -> Result<Changelogs, ClientError> {
        let mut changelogs = Changelogs::default();
        let graph = Arc::clone(self.shared.topology.graph());
        for (task_id, task) in self.tasks.running() {
            for (id, store) in task.state().iter() {
                let Some(spec) = graph.stores.get(id.0).filter(|_| store.is_changed()) else {
                    continue;
                };
                let Some(topic) = self.changelog_topics.get(id.0) else {
                    continue;
                };
                let partition = TopicPartition::new(Arc::clone(topic), task_id.partition);
                if spec.source.is_some() {
                    changelogs.inputs.push((task_id, id, partition));
                    continue;
                }
                let route = self.output.open_topic(topic)?;
                let (mut records, mut bytes) = (0, 0);
                for (key, stored) in store.written() {
                    let entry = spec.kind.logged(key, stored);
                    let record = StagedRecord {
                        topic: 0,
                        key: Some(entry.key),
                        value: entry.value,
                        timestamp: entry.timestamp.or(task.stream_time()).unwrap_or(0),
                        headers: Headers::EMPTY,
                    };
                    if let Some(refusal) = self.output.refuses(route, &record) {
                        return Err(refused(&spec.name, entry.key, &refusal));
                    }
                    self.output.write_to(route, task_id.partition, &record)?;
                    records += 1;
                    bytes += (entry.key.len() + entry.value.map_or(0, <[u8]>::len)) as u64;
                }
                changelogs.count(&spec.name, records, bytes);
                changelogs.partitions.push(partition);
                changelogs.stores.push((task_id, id));
            }
        }
        Ok(changelogs)
    }

    /// Asks for the ends of the changelogs, after all that was written to them is acknowledged.
    pub(super) fn locate(&self, changelogs: &mut Changelogs) -> Result<(), ClientError> {
        let reached = match self.output.delivery() {
            Delivery::ExactlyOnce { .. } => Reached::Written,
            Delivery::AtLeastOnce => Reached::Read,
        };
        let ends = self.output.log_ends(&changelogs.partitions)?;
        changelogs.reached = ends.into_iter().map(reached).collect();
        Ok(())
    }

    /// The transaction is committed: what the stores have changed is applied to them.
    pub(super) fn apply(
        &mut self,
        changelogs: &Changelogs,
        advance: &Advance,
    ) -> Result<(), Interrupt> {
        if changelogs.is_empty() {
            return Ok(());
        }
        pass(FailPoint::AfterCommit);
        for (id, task) in self.tasks.running_mut() {
            let applied = task
                .state_mut()
                .apply(|store| changelogs.reached(id, store, advance));
            // The next start reads from the changelog what this store lacks.
            applied.map_err(Error::from)?;
            pass(FailPoint::InApply);
        }
        pass(FailPoint::AfterApply);
        Ok(())
    }
}
