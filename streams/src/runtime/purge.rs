//! Deletes from repartition topics what is committed: nobody reads it again, and these topics keep records forever.
//!
//! Now and then, beside the stream threads (`repartition.purge.interval.ms` of Kafka Streams). What is left over when the
//! process ends is deleted by the next one.

use super::shared::Shared;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::error::{ClientError, Remedy};
use crate::topology::Topology;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// How far the repartition topics are read and committed.
pub(crate) struct Purge {
    topics: HashSet<String>,
    committed: Mutex<HashMap<TopicPartition, i64>>,
}

/// The task that deletes; it ends when this is dropped.
pub(crate) struct Purging(JoinHandle<()>);

impl Drop for Purging {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Purge {
    pub(crate) fn new(topology: &Topology) -> Self {
        Self {
            topics: topology.repartition_topics().map(str::to_owned).collect(),
            committed: Mutex::default(),
        }
    }

    /// Notes what a checkpoint has committed.
    pub(crate) fn note(&self, offsets: &[(TopicPartition, i64)]) {
        if self.topics.is_empty() {
            return;
        }
        let mut committed = self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let own = offsets
            .iter()
            .filter(|(p, _)| self.topics.contains(&*p.topic));
        committed.extend(own.cloned());
    }

    fn take(&self) -> Vec<(TopicPartition, i64)> {
        let mut committed = self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        committed.drain().collect()
    }

    /// What could not be deleted is deleted later, unless more is by then.
    fn put_back(&self, offsets: Vec<(TopicPartition, i64)>) {
        let mut committed = self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (partition, offset) in offsets {
            committed.entry(partition).or_insert(offset);
        }
    }
}

/// Starts deleting, where there is anything to delete.
pub(crate) fn start(shared: &Shared) -> Option<Purging> {
    if shared.purge.topics.is_empty() {
        return None;
    }
    // Not all that is shared: the runtime may drop this long after the job, which must have let go of its stores then.
    let (purge, properties) = (Arc::clone(&shared.purge), shared.properties.clone());
    let interval = shared.topology.config().repartition_purge_interval;
    Some(Purging(tokio::spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            let committed = purge.take();
            if committed.is_empty() {
                continue;
            }
            let deleted = match Admin::new(&properties) {
                Ok(admin) => admin.delete_records(&committed).await,
                Err(error) => Err(error),
            };
            if let Err(error) = deleted {
                tell(&error);
                purge.put_back(committed);
            }
        }
    })))
}

fn tell(error: &ClientError) {
    match error.remedy() {
        Remedy::Fail => tracing::warn!(
            %error,
            "records of repartition topics cannot be deleted, so these topics grow; the client needs DELETE on the topics \
             whose names begin with the application id"
        ),
        _ => tracing::debug!(%error, "records of repartition topics are deleted later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_deleted_is_deleted_later() {
        let [one, two] = [0, 1].map(|partition| TopicPartition::new("r", partition));
        let purge = Purge {
            topics: HashSet::from(["r".to_owned()]),
            committed: Mutex::default(),
        };
        purge.note(&[(one.clone(), 5), (two.clone(), 7)]);
        let failed = purge.take();
        purge.note(&[(one.clone(), 9)]);
        purge.put_back(failed);
        let mut left = purge.take();
        left.sort();
        assert_eq!(left, [(one, 9), (two, 7)]);
    }
}
