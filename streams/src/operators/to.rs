//! `to`: writes to a topic.

use crate::dsl::KStream;
use crate::processor::{Context, Outcome, Process, Record};
use crate::serde::{ByType, Serializer, TopicKey, TopicValue, WriteKey, WriteValue};
use crate::topology::{Kind, TopicRef};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Writes the stream to a topic, key and value by their types' own serdes. A record keeps its timestamp and headers.
    /// Where each record chooses its topic, it is [`to_dynamic`](Self::to_dynamic).
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("copy");
    /// builder.stream::<Keyless, str>("input").to("output");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("input", &Keyless, "hello")?;
    /// assert_eq!(driver.read_values::<String>("output")?, ["hello"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn to(&self, topic: &str)
    where
        K: TopicKey,
        V: TopicValue,
    {
        self.to_with(topic, ByType, ByType);
    }

    /// Writes the stream to a topic, with the serdes chosen: [`ByType`], or [`By`](crate::By) one.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("letters");
    /// let words = builder.stream::<Keyless, str>("words");
    /// words.map_values(|word| word.chars().collect::<Vec<_>>()).to_with("letters", ByType, By(Json));
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, "ab")?;
    /// assert_eq!(driver.read_values::<String>("letters")?, [r#"["a","b"]"#]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn to_with(&self, topic: &str, key: impl WriteKey<K>, value: impl WriteValue<V>) {
        self.to_topic(
            TopicRef::External(topic.to_owned()),
            key.serde(),
            value.serde(),
        );
    }

    /// Writes the stream to a topic of the user's or of the topology's own.
    #[track_caller]
    pub(crate) fn to_topic(
        &self,
        topic: TopicRef,
        key: impl Serializer<K> + 'static,
        value: impl Serializer<V> + 'static,
    ) {
        let number = self.builder().sink_topic(topic.clone());
        self.end(
            Kind::Sink(topic),
            Sink {
                topic: number,
                key,
                value,
            },
        );
    }
}

struct Sink<KS, VS> {
    topic: usize,
    key: KS,
    value: VS,
}

impl<K: ?Sized, V: ?Sized, KS: Serializer<K>, VS: Serializer<V>> Process<K, V> for Sink<KS, VS> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        cx.write(self.topic, record, &self.key, &self.value)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn a_record_keeps_timestamp_and_headers_and_a_keyless_one_has_a_null_key() {
        let builder = TopologyBuilder::new("app");
        builder.stream::<str, str>("keyed").to("out");
        builder.stream::<Keyless, str>("keyless").to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = TestRecord::new(Some(b"k".to_vec()), Some(b"v".to_vec()))
            .at(5)
            .header("h", "1");
        driver.pipe_raw("keyed", 0, &record).unwrap();
        driver.pipe_raw("keyless", 0, &record).unwrap();
        assert_eq!(
            driver.read_raw("out"),
            [
                record.clone(),
                TestRecord {
                    key: None,
                    ..record
                }
            ]
        );
    }

    #[test]
    fn a_serde_that_is_named_wins_over_the_types_own() {
        let builder = TopologyBuilder::new("app");
        let numbers: KStream<Keyless, Option<u64>> = builder.source("in", ByType, By(Json));
        numbers.to_with("out", ByType, By(Json));
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver.pipe("in", &Keyless, "7").unwrap();
        driver.pipe("in", &Keyless, &None::<String>).unwrap();
        assert_eq!(
            driver.read_values::<Option<String>>("out").unwrap(),
            [Some("7".to_owned()), None]
        );
    }
}
