//! `reduce`: the values of each key become one of the same type.

use crate::dsl::{KGroupedStream, KTable};
use crate::processor::{Context, KeptTable, Outcome, Process, Record, Update, later_of};
use crate::serde::{HasSerde, MaybeNull, Serde};
use std::sync::Arc;

impl<K: MaybeNull + ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KGroupedStream<K, V> {
    /// Combines the values of each key into one. The first value of a key stands for itself; `reduce` gets what came of those
    /// before, and the next. Where it returns `None`, the key is removed, and the next value is a first one again.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let bids = builder.stream::<String, i64>("bids");
    /// let highest = bids.group_by_key().reduce(|highest, bid| highest.max(*bid));
    /// highest.to_stream().to("highest-bids");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for bid in [3_i64, 9, 5] {
    ///     driver.pipe("bids", "lot 7", &bid)?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("highest-bids")?, [3, 9, 9]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce<R: Into<Option<V::Present>> + 'static>(
        &self,
        reduce: impl Fn(V::Present, &V::Present) -> R + Send + Sync + 'static,
    ) -> KTable<K::Present, V::Present>
    where
        V::Present: HasSerde<Serde: Serde<V::Present>> + Sized,
    {
        self.aggregation("reduce", |table| Reduce { reduce, table })
    }
}

struct Reduce<F, K: ?Sized, V> {
    reduce: F,
    table: Arc<KeptTable<K, V>>,
}

impl<K, V, R, F> Process<K, V> for Reduce<F, K::Present, V::Present>
where
    K: MaybeNull + ?Sized,
    V: MaybeNull<Present: Sized> + ?Sized,
    R: Into<Option<V::Present>>,
    F: Fn(V::Present, &V::Present) -> R + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let (Some(key), Some(value)) = (record.key.present(), record.value.present()) else {
            return Ok(());
        };
        let mut update = Update {
            key,
            new: Some(value),
            timestamp: record.timestamp,
            record_timestamp: record.timestamp,
            headers: record.headers,
        };
        let Some(so_far) = self.table.get(cx, key)? else {
            return self.table.update(cx, update, None);
        };
        update.timestamp = later_of(record.timestamp, Some(&so_far));
        let reduced = (self.reduce)(so_far.value, value).into();
        update.new = reduced.as_ref();
        // What was there before was given to the user's function, and is read again where it is asked for.
        self.table.replace(cx, update)
    }
}
