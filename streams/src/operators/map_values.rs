//! `map_values` and `map_values_with_key`: change the value.

use crate::dsl::KStream;
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Makes each value into another one. The key stays as it is, so nothing needs to be repartitioned after.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<Keyless, str>("words").map_values(|word| word.to_uppercase()).to("loud");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, "hey")?;
    /// assert_eq!(driver.read_values::<String>("loud")?, ["HEY"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values<V2: 'static>(
        &self,
        map: impl Fn(&V) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.then("map-values", |next| MapValues {
            map: move |_: &K, value: &V| map(value),
            next,
        })
    }

    /// Makes each value into another one, with a view of the key, which stays as it is.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<str, str>("words");
    /// words.map_values_with_key(|key, word| format!("{key}: {word}")).to("lines");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", "anna", "hey")?;
    /// assert_eq!(driver.read_key_values::<String, String>("lines")?, [("anna".to_owned(), "anna: hey".to_owned())]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values_with_key<V2: 'static>(
        &self,
        map: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.then("map-values", |next| MapValues { map, next })
    }
}

struct MapValues<F, K: ?Sized, V2: ?Sized> {
    map: F,
    next: Next<K, V2>,
}

impl<K: ?Sized, V: ?Sized, V2, F: Fn(&K, &V) -> V2 + Send + Sync> Process<K, V>
    for MapValues<F, K, V2>
{
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let value = (self.map)(record.key, record.value);
        self.next.process(cx, record.with_value(&value))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn key_timestamp_and_headers_stay() {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<String, i64>("in");
        input.map_values(|n| n + 1).to("plus-one");
        input
            .map_values_with_key(|key, n| n + key.len() as i64)
            .to("plus-length");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |n: i64| TestRecord::new("key".to_owned(), n).at(5).header("h", "1");
        driver.pipe_record("in", &record(1)).unwrap();
        assert_eq!(driver.read::<String, i64>("plus-one").unwrap(), [record(2)]);
        assert_eq!(
            driver.read::<String, i64>("plus-length").unwrap(),
            [record(4)]
        );
    }
}
