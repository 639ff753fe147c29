//! Where the partitions of global tables are read on, kept from one process to the next.

use super::store_start::lacks_removals;
use crate::Result;
use crate::kafka::TopicPartition;
use crate::kafka::topic_ids::TopicId;
use crate::state::{Committed, GlobalStore, Kept, Origin, StoreKind};
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
    id: Option<TopicId>,
) -> Result<Vec<KeptPosition>> {
    let origin = Origin::new(StoreKind::TimestampedKeyValue, id.map(TopicId::to_u128));
    let (mut kept, mut had_any) = (Vec::new(), false);
    for (partition, position) in (0..).zip(&mut store.positions) {
        let found = position.kept()?;
        position.set_origin(origin.or_topic_of(found.and_then(|kept| kept.origin)));
        let log = logs.get(&TopicPartition::new(topic, partition));
        let is_old = |at: i64| lacks_removals(at, SystemTime::now());
        // One of another topic of that name, or of an earlier version, is none.
        let is_of_it = |kept: &Kept| kept.origin.is_some_and(|o| origin.difference(o).is_none());
        had_any |= found.is_some();
        let found = found.filter(is_of_it);
        kept.push(found.and_then(|kept| {
            let offset = kept.reached.offset();
            is_of_use(offset, log, kept.at.is_some_and(is_old)).then_some(offset)
        }));
    }
    let all: Option<Vec<i64>> = kept.into_iter().collect();
    if all.is_none() {
        if had_any {
            tracing::info!(
                "the global table's topic `{topic}` is read anew: not all that came since is in it"
            );
        }
        // Positions first: they must never stand for rows that are no longer there.
        for position in &mut store.positions {
            position.clear()?;
        }
        store.entries.clear()?;
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

/// Whether the log has all that came behind the offset, removals too, which it does not keep for long.
fn is_of_use(offset: i64, log: Option<&(i64, i64)>, is_old: bool) -> bool {
    log.is_some_and(|(start, end)| offset == *end || (*start..*end).contains(&offset) && !is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_of_use_where_nothing_that_came_since_can_be_gone() {
        let log = Some(&(10, 20));
        for (offset, is_old, expected) in [
            (15, false, true),
            (15, true, false),
            (20, true, true),
            (9, false, false),
            (21, false, false),
        ] {
            assert_eq!(
                is_of_use(offset, log, is_old),
                expected,
                "{offset} {is_old}"
            );
        }
        assert!(!is_of_use(0, None, false));
    }
}
