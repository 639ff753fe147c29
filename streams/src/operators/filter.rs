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
    pub fn filter(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KStream<K, V> {
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
    pub fn filter_not(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.then("filter-not", |next| Filter {
            predicate: move |key: &K, value: &V| !predicate(key, value),
            next,
        })
    }
}

struct Filter<F, K: ?Sized, V: ?Sized> {
    predicate: F,
    next: Next<K, V>,
}

impl<K: ?Sized, V: ?Sized, F: Fn(&K, &V) -> bool + Send + Sync> Process<K, V> for Filter<F, K, V> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        if (self.predicate)(record.key, record.value) {
            self.next.process(cx, record)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn a_record_passes_one_of_the_two_whole() {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<String, i64>("in");
        input.filter(|key, n| key == "k" && *n > 1).to("yes");
        input.filter_not(|key, n| key == "k" && *n > 1).to("no");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |key: &str, n: i64| TestRecord::new(key.to_owned(), n).at(n).header("h", "1");
        for (key, n) in [("k", 1), ("k", 2), ("other", 3)] {
            driver.pipe_record("in", &record(key, n)).unwrap();
        }
        assert_eq!(driver.read::<String, i64>("yes").unwrap(), [record("k", 2)]);
        assert_eq!(
            driver.read::<String, i64>("no").unwrap(),
            [record("k", 1), record("other", 3)]
        );
    }
}
