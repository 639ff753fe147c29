//! `count`: how many records each key has.

use crate::dsl::{KGroupedStream, KTable};
use crate::processor::{Context, KeptTable, Outcome, Process, Record, Update, later_of};
use crate::serde::MaybeNull;
use std::sync::Arc;

impl<K: MaybeNull + ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KGroupedStream<K, V> {
    /// Counts the records of each key. Each record gives an update with the larger of its timestamp and the count's.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let visits = builder.stream::<str, str>("visits");
    /// let counts = visits.group_by_key().count().named("counts");
    /// counts.to_stream().to("visits-by-user");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("visits", "ann", "")?;
    /// driver.pipe("visits", "ann", "")?;
    /// assert_eq!(driver.read_values::<Option<i64>>("visits-by-user")?, [Some(1), Some(2)]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> KTable<K::Present, i64> {
        self.aggregation("count", Count)
    }
}

struct Count<K: ?Sized>(Arc<KeptTable<K, i64>>);

impl<K: MaybeNull + ?Sized, V: MaybeNull + ?Sized> Process<K, V> for Count<K::Present> {
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let (Some(key), Some(_)) = (record.key.present(), record.value.present()) else {
            return Ok(());
        };
        let old = self.0.get(cx, key)?;
        let count = old.as_ref().map_or(0, |old| old.value) + 1;
        let update = Update {
            key,
            new: Some(&count),
            timestamp: later_of(record.timestamp, old.as_ref()),
            record_timestamp: record.timestamp,
            headers: record.headers,
        };
        self.0
            .update(cx, update, old.as_ref().map(|old| &old.value))
    }
}
