//! One task's way from the state it had to the ends of its changelogs.

use super::event::Event;
use super::restorer::{End, Request};
use super::shared::Shared;
use super::store_restore::StoreRestore;
use super::store_start::{self, Start};
use super::tasks::offset_of;
use crate::config::Guarantee;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::batch::OwnedMessage;
use crate::kafka::error::{ClientError, Code, Remedy};
use crate::kafka::offsets::LogEnd;
use crate::kafka::reader::PartitionReader;
use crate::kafka::topic_ids::{TopicId, TopicIds};
use crate::state::{KeyRange, Order, Origin, Reached, StoreId, TaskState};
use crate::topology::Topology;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// For the ends of changelogs.
const LOGS_TIMEOUT: Duration = Duration::from_secs(10);

/// A partition that a store is restored from.
#[derive(Clone, Debug)]
pub(super) struct Changelog {
    partition: TopicPartition,
    /// An input of the task is read up to where the group has processed it; a changelog of the store's own to its end.
    until: i64,
}

/// Where a changelog partition begins and ends.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) changelog: TopicPartition,
    /// Which topic of that name it is.
    pub(super) topic: Option<TopicId>,
    pub(super) start: i64,
    /// The last stable offset, no later than the end: each transaction with records below it is ended below it.
    pub(super) stable: i64,
    /// The high watermark.
    pub(super) end: i64,
}

impl Log {
    /// Of a partition of which nothing is to be read; it need not be there.
    fn empty(changelog: &TopicPartition) -> Self {
        Self {
            changelog: changelog.clone(),
            topic: None,
            start: 0,
            stable: 0,
            end: 0,
        }
    }

    /// What is below this offset.
    fn until(self, offset: i64) -> Self {
        Self {
            stable: self.stable.min(offset),
            end: self.end.min(offset),
            ..self
        }
    }

    /// Whether a store that reaches so far has all that counts in it.
    ///
    /// The marker of the transaction that has written it last is all that may be missing. If there is one more offset, and
    /// the log was stable up to its end, then it is that marker: below the end it has to be, and in the store's part it is
    /// not.
    fn has_nothing_for(&self, reached: Reached) -> bool {
        match reached {
            Reached::Read(offset) => offset == self.end,
            Reached::Written(offset) => {
                offset == self.end || offset + 1 == self.end && self.stable == self.end
            }
        }
    }
}

/// Asks where changelogs begin and end.
pub(super) fn logs(
    admin: &Admin,
    reader: &PartitionReader,
    changelogs: &[Changelog],
) -> Result<Vec<Log>, ClientError> {
    let has_any = |changelog: &&Changelog| changelog.until > 0;
    let asked = changelogs.iter().filter(has_any);
    let asked: Vec<TopicPartition> = asked.map(|c| c.partition.clone()).collect();
    let mut answers = whole_logs(admin, reader, &asked)?.into_iter();
    let log = |changelog: &Changelog| match has_any(&changelog) {
        true => Some(answers.next()?.until(changelog.until)),
        false => Some(Log::empty(&changelog.partition)),
    };
    Ok(changelogs.iter().filter_map(log).collect())
}

fn whole_logs(
    admin: &Admin,
    reader: &PartitionReader,
    changelogs: &[TopicPartition],
) -> Result<Vec<Log>, ClientError> {
    let ids = ids(admin, changelogs)?;
    // In this order: what is stable now is so at the end that is told later; a start that moves on meanwhile is found when
    // it is read.
    let stable = reader.stable_ends(changelogs, LOGS_TIMEOUT)?;
    let ends = admin.log_offsets(changelogs, LogEnd::Last, LOGS_TIMEOUT)?;
    let starts = admin.log_offsets(changelogs, LogEnd::First, LOGS_TIMEOUT)?;
    let bounds = starts.into_iter().zip(stable).zip(ends);
    let log = |(changelog, ((start, stable), end)): (&TopicPartition, ((i64, i64), i64))| Log {
        changelog: changelog.clone(),
        topic: ids.of(&changelog.topic),
        start,
        stable,
        end,
    };
    Ok(changelogs.iter().zip(bounds).map(log).collect())
}

/// Which topics they are. It is an error if one is gone.
fn ids(admin: &Admin, changelogs: &[TopicPartition]) -> Result<TopicIds, ClientError> {
    let topics: Vec<&str> = changelogs.iter().map(|c| &*c.topic).collect();
    let ids = admin.topic_ids(&topics, LOGS_TIMEOUT)?;
    let Some(gone) = ids.gone().next().map(store_start::gone) else {
        return Ok(ids);
    };
    let error = ClientError::new("restoring", Code::UnknownTopicOrPartition, gone);
    // A broker that has just started may not know it yet.
    Err(error.with_remedy(Remedy::Retry))
}

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
        let begun = logs
            .iter()
            .try_for_each(|log| {
                let topic = &log.changelog.topic;
                store_start::check_topic(topic, log.topic, shared.topic_ids.of(topic))
            })
            .and_then(|()| begin_stores(&shared.topology, &mut request.state, logs));
        match begun {
            Ok(stores) => {
                let restoring = Self {
                    shared: Arc::clone(shared),
                    thread,
                    request,
                    stores,
                    failure: None,
                };
                for store in &restoring.stores {
                    restoring.tell_progress_of(store);
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

    /// Fails if a changelog is not there any more, or another one is.
    pub(super) fn look_at(&mut self, ids: &TopicIds) {
        let looked = self
            .stores
            .iter_mut()
            .try_for_each(|store| store.look_at(ids));
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
        committed.set_origin(Origin::new(spec.kind, log.topic.map(TopicId::to_u128)));
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
    use super::*;

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
    fn only_the_marker_of_its_own_transaction_is_nothing_for_a_store() {
        assert!(log(7, 7).has_nothing_for(Reached::Read(7)));
        assert!(log(5, 7).has_nothing_for(Reached::Written(7)));
        assert!(log(8, 8).has_nothing_for(Reached::Written(7)));
        // A record without a transaction, or of one that is not ended.
        assert!(!log(8, 8).has_nothing_for(Reached::Read(7)));
        assert!(!log(7, 8).has_nothing_for(Reached::Written(7)));
        // A transaction with a record.
        assert!(!log(9, 9).has_nothing_for(Reached::Written(7)));
    }
}
