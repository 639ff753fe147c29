//! Where the partitions of global tables are read on, kept from one process to the next.

use super::restoring::lacks_removals;
use crate::kafka::TopicPartition;
use crate::state::{Committed, GlobalStore, StoreError};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// How far a partition is read, as it is kept.
pub(super) struct KeptPosition {
    pub(super) partition: TopicPartition,
    pub(super) store: Box<dyn Committed>,
    pub(super) written: i64,
}

/// Where each partition of a table's topic is read on. What is kept is of use where the topic has all that came since:
/// otherwise the table is emptied, and read from the beginning.
pub(super) fn kept_positions(
    topic: &str,
    store: &mut GlobalStore,
    logs: &BTreeMap<TopicPartition, (i64, i64)>,
) -> Result<Vec<KeptPosition>> {
    let mut kept = Vec::new();
    for (partition, position) in (0..).zip(&store.positions) {
        let offset = position.changelog_offset().map_err(state_error)?;
        let written_at = position.written_at().map_err(state_error)?;
        let log = logs.get(&TopicPartition::new(topic, partition));
        kept.push(offset.filter(|offset| {
            let is_in_log = log.is_some_and(|(start, end)| (*start..=*end).contains(offset));
            is_in_log && !written_at.is_some_and(|at| lacks_removals(at, SystemTime::now()))
        }));
    }
    let all: Option<Vec<i64>> = kept.into_iter().collect();
    if all.is_none() {
        store.entries.clear().map_err(state_error)?;
        for position in &mut store.positions {
            position.clear().map_err(state_error)?;
        }
    }
    let positions = std::mem::take(&mut store.positions).into_iter();
    let kept = (0..).zip(positions).map(|(number, store)| {
        let partition = TopicPartition::new(topic, number);
        let start = logs.get(&partition).map_or(0, |(start, _)| *start);
        let at = usize::try_from(number).unwrap_or_default();
        let kept = all.as_ref().and_then(|all| all.get(at)).copied();
        KeptPosition {
            partition,
            store,
            written: kept.unwrap_or(start),
        }
    });
    Ok(kept.collect())
}

pub(super) fn state_error(error: StoreError) -> Error {
    Error::State(error.to_string())
}
