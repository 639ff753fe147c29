//! `filter` and `filter_not`: keep some of the records.

use crate::dsl::KStream;
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Keeps the records for which `predicate` is true.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<String, i64>("numbers").filter(|_, n| n % 2 == 0).to("even");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for n in 1..=4_i64 {
    ///     driver.pipe("numbers", "key", &n)?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("even")?, [2, 4]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KStream<K, V> {
        self.then("filter", |next| Filter { predicate, next })
    }

    /// Drops the records for which `predicate` is true.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<String, i64>("numbers").filter_not(|_, n| n % 2 == 0).to("odd");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for n in 1..=4_i64 {
    ///     driver.pipe("numbers", "key", &n)?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("odd")?, [1, 3]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KStream<K, V> {
        self.then("filter-not", |next| Filter { predicate: move |key: &K, value: &V| !predicate(key, value), next })
    }
}

struct Filter<F, K: ?Sized, V: ?Sized> {
    predicate: F,
    next: Next<K, V>,
}

impl<K: ?Sized, V: ?Sized, F: Fn(&K, &V) -> bool + Send + Sync> Process<K, V> for Filter<F, K, V> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        if (self.predicate)(record.key, record.value) { self.next.process(cx, record) } else { Ok(()) }
    }
}
