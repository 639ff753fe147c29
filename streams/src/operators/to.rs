//! `to`: writes to a topic.

use crate::dsl::KStream;
use crate::processor::{Context, Outcome, Process, Record};
use crate::serde::{ByType, HasSerde, Serializer, TopicKey, WriteKey, WriteValue};
use crate::topology::Kind;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Writes the stream to a topic, key and value by their types' own serdes. A record keeps its timestamp and headers.
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
        V: HasSerde,
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
        let number = self.builder().sink_topic(topic);
        self.end(Kind::Sink(topic.to_owned()), Sink { topic: number, key: key.serde(), value: value.serde() });
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
