//! `aggregate`: the values of each key become one of another type.

use crate::dsl::{KGroupedStream, KTable};
use crate::processor::{Context, KeptTable, Outcome, Process, Record, Update, later_of};
use crate::serde::{HasSerde, MaybeNull, Serde};
use std::sync::Arc;

impl<K: MaybeNull + ?Sized + 'static, V: MaybeNull + ?Sized + 'static> KGroupedStream<K, V> {
    /// Adds each record to the aggregate of its key, which begins as what `initialize` returns. Where `add` returns `None`,
    /// the key is removed, and begins anew with its next record. The result has the larger of the record's timestamp and the
    /// aggregate's.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<String, String>("words");
    /// let lengths = words.group_by_key().aggregate(|| 0_u64, |_, word, total| total + word.len() as u64);
    /// lengths.to_stream().to("lengths");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for word in ["to", "be", "not"] {
    ///     driver.pipe("words", "page 1", word)?;
    /// }
    /// assert_eq!(driver.read_values::<u64>("lengths")?, [2, 4, 7]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate<A, R: Into<Option<A>> + 'static>(
        &self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K::Present, &V::Present, A) -> R + Send + Sync + 'static,
    ) -> KTable<K::Present, A>
    where
        A: HasSerde<Serde: Serde<A>> + 'static,
    {
        self.aggregation("aggregate", |table| Aggregate {
            initialize,
            add,
            table,
        })
    }
}

pub(super) struct Aggregate<I, F, K: ?Sized, A> {
    pub(super) initialize: I,
    pub(super) add: F,
    pub(super) table: Arc<KeptTable<K, A>>,
}

impl<K, V, A, R, I, F> Process<K, V> for Aggregate<I, F, K::Present, A>
where
    K: MaybeNull + ?Sized,
    V: MaybeNull + ?Sized,
    R: Into<Option<A>>,
    I: Fn() -> A + Send + Sync,
    F: Fn(&K::Present, &V::Present, A) -> R + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let (Some(key), Some(value)) = (record.key.present(), record.value.present()) else {
            return Ok(());
        };
        let so_far = self.table.get(cx, key)?;
        let timestamp = later_of(record.timestamp, so_far.as_ref());
        let so_far = so_far.map_or_else(&self.initialize, |so_far| so_far.value);
        let aggregate = (self.add)(key, value, so_far).into();
        let update = Update {
            key,
            new: aggregate.as_ref(),
            timestamp,
            record_timestamp: record.timestamp,
            headers: record.headers,
        };
        // What was there before was given to the user's function, and is read again where it is asked for.
        self.table.replace(cx, update)
    }
}
