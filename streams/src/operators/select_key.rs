//! `select_key`: change the key.

use crate::dsl::{KStream, Partitioning};
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Gives each record another key. Whatever needs equal keys together after this has to repartition.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<Keyless, str>("words").select_key(|_, word| word.len() as u64).to("by-length");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, "hey")?;
    /// assert_eq!(driver.read_key_values::<u64, String>("by-length")?, [(3, "hey".to_owned())]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn select_key<K2: 'static>(
        &self,
        select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KStream<K2, V> {
        self.then("select-key", |next| SelectKey { select, next })
            .partitioned(Partitioning::Changed)
    }
}

struct SelectKey<F, K2: ?Sized, V: ?Sized> {
    select: F,
    next: Next<K2, V>,
}

impl<K: ?Sized, V: ?Sized, K2, F: Fn(&K, &V) -> K2 + Send + Sync> Process<K, V>
    for SelectKey<F, K2, V>
{
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let key = (self.select)(record.key, record.value);
        self.next.process(cx, record.with_key(&key))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn value_timestamp_and_headers_stay() {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<String, String>("in");
        input
            .select_key(|key, value| format!("{key}{value}"))
            .to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |key: &str| {
            TestRecord::new(key.to_owned(), "v".to_owned())
                .at(5)
                .header("h", "1")
        };
        driver.pipe_record("in", &record("k")).unwrap();
        assert_eq!(
            driver.read::<String, String>("out").unwrap(),
            [record("kv")]
        );
    }

    #[test]
    fn an_optional_key_may_be_null() {
        let builder = TopologyBuilder::new("app");
        let words = builder.stream::<String, str>("in");
        words
            .select_key(|_, word| (word.len() > 1).then(|| word.to_owned()))
            .to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver.pipe("in", "k", "a").unwrap();
        driver.pipe("in", "k", "ab").unwrap();
        let keys: Vec<_> = driver
            .read_raw("out")
            .into_iter()
            .map(|record| record.key)
            .collect();
        assert_eq!(keys, [None, Some(b"ab".to_vec())]);
    }
}
