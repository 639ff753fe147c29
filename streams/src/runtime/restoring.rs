//! One task's way from the state it had to the ends of its changelogs.

use super::event::Event;
use super::logs::{Changelog, Log};
use super::restorer::{End, Request};
use super::shared::Shared;
use super::store_restore::StoreRestore;
use super::store_start::{self, Start};
use super::tasks::offset_of;
use crate::config::Guarantee;
use crate::kafka::TopicPartition;
use crate::kafka::batch::OwnedMessage;
use crate::kafka::topic_ids::{TopicId, TopicIds};
use crate::state::{KeyRange, Order, Origin, Reached, StoreId, TaskState};
use crate::topology::Topology;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    GoesOn,
    /// A changelog has no longer what comes next: where it begins has to be asked again.
    IsCutOff,
}

pub(super) struct Restoring {
    shared: Arc<Shared>,
    thread: usize,
    request: Request,
    stores: Vec<StoreRestore>,
    failure: Option<Error>,
}

impl Restoring {
    /// The changelog partitions of a task's stores.
    pub(super) fn changelogs(topology: &Topology, request: &Request) -> Vec<Changelog> {
        let specs = &topology.graph().stores;
        let changelog = |(id, _): (StoreId, _)| {
            let spec = specs.get(id.0)?;
            let topic = spec.changelog_topic(topology.application_id());
            let partition = TopicPartition::new(topic, request.task.partition);
            let until = match spec.source {
                // Where nothing is committed, the table begins with what the task processes.
                Some(_) => offset_of(&partition, &request.processed).unwrap_or(0),
                None => i64::MAX,
            };
            Some(Changelog { partition, until })
        };
        request.state.iter().filter_map(changelog).collect()
    }

    /// Looks at what each store has, and at what its changelog has beyond that.
    pub(super) fn new(
        shared: &Arc<Shared>,
        thread: usize,
        mut request: Request,
        logs: &[Log],
    ) -> Result<Self, (Box<Request>, Error)> {
        match begin_stores(&shared.topology, &mut request.state, logs) {
            Ok(stores) => {
                let mut restoring = Self {
                    shared: Arc::clone(shared),
                    thread,
                    request,
                    stores,
                    failure: None,
                };
                for store in &restoring.stores {
                    restoring.tell_progress_of(store);
                }
                // Nothing need be read to see that.
                if let Err(error) = restoring.check_offsets() {
                    restoring.fail(error);
                }
                Ok(restoring)
            }
            Err(error) => Err((Box::new(request), error)),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.request.number
    }

    pub(super) fn is_done(&self) -> bool {
        self.failure.is_some() || self.stores.iter().all(StoreRestore::is_done)
    }

    /// Whether there is nothing more to read.
    pub(super) fn is_read(&self) -> bool {
        self.failure.is_some() || self.stores.iter().all(StoreRestore::is_read)
    }

    /// Where the stores are read on that are not done.
    pub(super) fn to_read(&self) -> impl Iterator<Item = (TopicPartition, i64)> {
        self.stores.iter().filter_map(StoreRestore::to_read)
    }

    /// The topics of which nothing has come for a while.
    pub(super) fn stalled(&mut self) -> Vec<Arc<str>> {
        let topic = |store: &mut StoreRestore| store.log.changelog.topic.clone();
        let looked_for = self
            .stores
            .iter_mut()
            .map(|store| (store.must_look(), topic(store)));
        looked_for
            .filter_map(|(must_look, topic)| must_look.then_some(topic))
            .collect()
    }

    /// Fails if one of these changelogs is not there any more, or another one is.
    pub(super) fn look_at(&mut self, asked: &BTreeSet<Arc<str>>, ids: &TopicIds) {
        let stores = self.stores.iter_mut();
        let mut stores = stores.filter(|store| asked.contains(&store.log.changelog.topic));
        let looked = stores.try_for_each(|store| store.look_at(ids));
        if let Err(error) = looked {
            self.fail(error);
        }
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// Takes what has arrived for the task's stores.
    pub(super) fn take(
        &mut self,
        messages: &[OwnedMessage],
        positions: &[(TopicPartition, i64)],
    ) -> Result<Reading> {
        for (id, committed) in self.request.state.committed_mut() {
            let of_id = |store: &&mut StoreRestore| store.store == id && !store.is_done();
            let Some(store) = self.stores.iter_mut().find(of_id) else {
                continue;
            };
            store.notice_tables()?;
            if store.is_cut_off(messages)? {
                store.finish_tables()?;
                committed.clear()?;
                return Ok(Reading::IsCutOff);
            }
            store.take(messages, positions, &*committed)?;
        }
        self.write(StoreRestore::must_write, 0)?;
        self.tell_progress();
        Ok(Reading::GoesOn)
    }

    /// How many stores are being read.
    pub(super) fn open_stores(&self) -> usize {
        self.stores.iter().filter(|store| !store.is_done()).count()
    }

    /// What was read and waits in memory. What has failed waits for nothing.
    pub(super) fn unwritten_bytes(&self) -> usize {
        match self.failure {
            Some(_) => 0,
            None => self.stores.iter().map(StoreRestore::unwritten_bytes).sum(),
        }
    }

    /// What was handed to the stores and is in memory.
    pub(super) fn handed_bytes(&self) -> usize {
        self.stores.iter().map(StoreRestore::handed_bytes).sum()
    }

    /// Writes the store that has the most in memory, of which so many bytes are kept.
    pub(super) fn write_largest(&mut self, keep: usize) -> Result<()> {
        let bytes = self.stores.iter().map(StoreRestore::unwritten_bytes);
        let largest = bytes.max();
        self.write(|store| Some(store.unwritten_bytes()) == largest, keep)
    }

    /// Writes the stores that have enough for a table of this size at most; so many bytes of each are kept.
    pub(super) fn write_tables(&mut self, most: usize, keep: usize) -> Result<()> {
        self.write(|store| store.has_table(most), keep)
    }

    /// Writes all that was read, and waits until it is there.
    pub(super) fn write_all(&mut self) -> Result<()> {
        self.write(StoreRestore::has_unwritten, 0)?;
        self.finish_tables()
    }

    /// Waits until what was handed to each store first is out of memory.
    pub(super) fn take_oldest_back(&mut self) {
        self.stores
            .iter_mut()
            .for_each(StoreRestore::take_oldest_back);
    }

    /// Waits for the tables that are being written.
    pub(super) fn finish_tables(&mut self) -> Result<()> {
        self.stores
            .iter_mut()
            .try_for_each(StoreRestore::finish_tables)
    }

    /// After a failure nothing more is written: the offset of a later batch would stand for the rows of one that is missing.
    fn write(&mut self, which: impl Fn(&StoreRestore) -> bool, keep: usize) -> Result<()> {
        if self.failure.is_some() {
            return Ok(());
        }
        for (id, committed) in self.request.state.committed_mut() {
            if let Some(store) = self.stores.iter_mut().find(|s| s.store == id && which(s)) {
                store.write(committed, keep)?;
            }
        }
        Ok(())
    }

    fn tell_progress(&mut self) {
        let mut stores = std::mem::take(&mut self.stores);
        for store in &mut stores {
            store.warn_of_stall(self.request.task);
            if store.must_tell() {
                self.tell_progress_of(store);
            }
        }
        self.stores = stores;
    }

    fn tell_progress_of(&self, store: &StoreRestore) {
        let progress = store.progress(self.thread, self.request.task);
        self.shared.tell(&Event::Restore(progress));
    }

    /// Tells of the stores that had something to read how far they came.
    fn tell_outcome(&self) {
        let began = self.stores.iter().filter(|s| s.from < s.log.end);
        for store in began {
            store.warn_of_left_out();
            let outcome = store.outcome(self.thread, self.request.task);
            self.shared.tell(&Event::Restore(outcome));
        }
    }

    /// What is to be begun again.
    pub(super) fn into_request(self) -> Request {
        self.request
    }

    /// Gives the restore up where it is.
    pub(super) fn suspend(self) -> Request {
        self.tell_outcome();
        self.request
    }

    pub(super) fn finish(mut self) -> (Request, End) {
        self.tell_outcome();
        let failure = self.failure.take();
        let end = match failure.map_or_else(|| self.check_offsets(), Err) {
            Err(error) => End::Failed(error),
            Ok(()) => End::Ready,
        };
        (self.request, end)
    }

    /// Whether the group's committed offsets are there, if rows are: with the transaction that has written the first row, offsets
    /// of the task were committed. Without them, everything would be counted once more.
    fn check_offsets(&self) -> Result<()> {
        let config = self.shared.topology.config();
        let Some(store) = self.rows_without_offsets()? else {
            return Ok(());
        };
        let error = store.without_offsets(&config.application_id, self.request.task);
        match config.guarantee {
            Guarantee::ExactlyOnce => Err(error),
            // A process that dies before its first commit leaves as much.
            Guarantee::AtLeastOnce => {
                tracing::warn!("{error}");
                Ok(())
            }
        }
    }

    /// A store that has rows, though the group has no committed offset of the task.
    fn rows_without_offsets(&self) -> Result<Option<&StoreRestore>> {
        if !self.request.processed.is_empty() {
            return Ok(None);
        }
        for (id, store) in self.request.state.iter() {
            let first = store.scan(&KeyRange::ALL, Order::Ascending).next();
            if first.transpose()?.is_some() {
                return Ok(self.stores.iter().find(|restored| restored.store == id));
            }
        }
        Ok(None)
    }
}

fn begin_stores(
    topology: &Topology,
    state: &mut TaskState,
    logs: &[Log],
) -> Result<Vec<StoreRestore>> {
    let specs = &topology.graph().stores;
    let mut stores = Vec::new();
    for ((id, committed), log) in state.committed_mut().zip(logs) {
        let Some(spec) = specs.get(id.0) else {
            continue;
        };
        let kept = committed.kept()?;
        let start = store_start::of(spec, kept, log)?;
        let origin = Origin::new(spec.kind, log.topic.map(TopicId::to_u128));
        committed.set_origin(origin.or_topic_of(kept.and_then(|kept| kept.origin)));
        let mut log = log.clone();
        let from = match start {
            Start::At(reached) => {
                if log.has_nothing_for(reached) {
                    log.end = reached.offset();
                }
                reached.offset()
            }
            Start::Anew => {
                committed.clear()?;
                if log.start >= log.end {
                    let nothing = &mut std::iter::empty();
                    let written = committed.apply(nothing, Some(Reached::Read(log.end)));
                    written?;
                }
                log.start
            }
        };
        let on_error = &topology.config().on_error;
        stores.push(StoreRestore::new(id, spec.clone(), log, from, on_error));
    }
    Ok(stores)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::prelude::*;

    fn log(stable: i64, end: i64) -> Log {
        Log {
            changelog: TopicPartition::new("changelog", 0),
            topic: None,
            start: 0,
            stable,
            end,
        }
    }

    #[test]
    fn a_task_that_comes_back_is_read_on_where_its_store_is_in_memory_too() {
        let builder = TopologyBuilder::new("app");
        let counts = builder.stream::<str, str>("in").group_by_key().count();
        let _ = counts.named("counts");
        let topology = builder.build();
        let mut state = TaskState::in_memory(&[StoreId(0)]);
        let logs = |end| {
            [Log {
                topic: TopicId::new(7),
                ..log(end, end)
            }]
        };
        let begun = begin_stores(&topology, &mut state, &logs(5)).unwrap();
        assert_eq!(begun.first().unwrap().from, 0);
        let (_, store) = state.committed_mut().next().unwrap();
        let mut row = std::iter::once((b"k".as_slice(), Some(b"v".as_slice())));
        store.apply(&mut row, Some(Reached::Read(5))).unwrap();
        let begun = begin_stores(&topology, &mut state, &logs(9)).unwrap();
        assert_eq!(begun.first().unwrap().from, 5);
        let (_, store) = state.committed_mut().next().unwrap();
        assert!(store.get(b"k").unwrap().is_some());
    }
}
