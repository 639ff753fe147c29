//! `map`: change key and value.

use crate::dsl::{KStream, Partitioning};
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Makes each record into another one, key and value. Where the key stays as it is, `map_values` is better: after a
    /// change of the key, whatever needs equal keys together has to repartition.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<Keyless, str>("words").map(|_, word| (word.to_owned(), word.len() as u64)).to("lengths");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, "hey")?;
    /// assert_eq!(driver.read_key_values::<String, u64>("lengths")?, [("hey".to_owned(), 3)]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn map<K2: 'static, V2: 'static>(
        &self,
        map: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.then("map", |next| Map { map, next })
            .partitioned(Partitioning::Changed)
    }
}

struct Map<F, K2: ?Sized, V2: ?Sized> {
    map: F,
    next: Next<K2, V2>,
}

impl<K: ?Sized, V: ?Sized, K2, V2, F: Fn(&K, &V) -> (K2, V2) + Send + Sync> Process<K, V>
    for Map<F, K2, V2>
{
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let (key, value) = (self.map)(record.key, record.value);
        self.next
            .process(cx, record.with_key(&key).with_value(&value))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn timestamp_and_headers_stay() {
        let builder = TopologyBuilder::new("app");
        builder
            .stream::<String, String>("in")
            .map(|key, value| (value.clone(), key.clone()))
            .to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |key: &str, value: &str| {
            TestRecord::new(key.to_owned(), value.to_owned())
                .at(5)
                .header("h", "1")
        };
        driver.pipe_record("in", &record("k", "v")).unwrap();
        assert_eq!(
            driver.read::<String, String>("out").unwrap(),
            [record("v", "k")]
        );
    }
}
