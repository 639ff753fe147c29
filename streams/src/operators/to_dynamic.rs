//! `to_dynamic`: writes to topics that the records choose.

use crate::dsl::KStream;
use crate::processor::{Context, Outcome, Process, Record};
use crate::serde::{ByType, Serializer, TopicKey, TopicValue, WriteKey, WriteValue};
use crate::topology::Kind;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Writes each record to the topic that `topic_of` chooses for it, key and value by their types' own serdes.
    ///
    /// The topics must exist. A name that Kafka would refuse, or a topic that the topology reads, is an error of that
    /// record, which goes where `on_error(produce = ..)` says.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let orders = builder.stream::<Keyless, u64>("orders");
    /// orders.to_dynamic(|_, amount| if *amount > 1_000 { "big-orders" } else { "small-orders" });
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("orders", &Keyless, &5_000_u64)?;
    /// assert_eq!(driver.read_values::<u64>("big-orders")?, [5_000]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn to_dynamic<T: AsRef<str>>(&self, topic_of: impl Fn(&K, &V) -> T + Send + Sync + 'static)
    where
        K: TopicKey,
        V: TopicValue,
    {
        self.to_dynamic_with(topic_of, ByType, ByType);
    }

    /// Writes each record to the topic that `topic_of` chooses for it, with the serdes chosen: [`ByType`], or
    /// [`By`](crate::By) one.
    #[track_caller]
    pub fn to_dynamic_with<T: AsRef<str>>(
        &self,
        topic_of: impl Fn(&K, &V) -> T + Send + Sync + 'static,
        key: impl WriteKey<K>,
        value: impl WriteValue<V>,
    ) {
        self.end(
            Kind::DynamicSink,
            DynamicSink {
                topic_of,
                key: key.serde(),
                value: value.serde(),
            },
        );
    }
}

struct DynamicSink<F, KS, VS> {
    topic_of: F,
    key: KS,
    value: VS,
}

impl<K: ?Sized, V: ?Sized, T: AsRef<str>, F, KS: Serializer<K>, VS: Serializer<V>> Process<K, V>
    for DynamicSink<F, KS, VS>
where
    F: Fn(&K, &V) -> T + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let topic = (self.topic_of)(record.key, record.value);
        let number = cx.number_of(topic.as_ref())?;
        cx.write(number, record, &self.key, &self.value)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;

    fn driver() -> TopologyTestDriver {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<Keyless, str>("in");
        input.to_dynamic(|_, topic| topic.to_owned());
        input.to("fixed");
        TopologyTestDriver::new(builder.build()).unwrap()
    }

    #[test]
    fn a_record_may_choose_a_topic_that_is_fixed_elsewhere() {
        let mut driver = driver();
        for topic in ["a", "fixed", "b", "a"] {
            driver.pipe("in", &Keyless, topic).unwrap();
        }
        assert_eq!(driver.read_values::<String>("a").unwrap(), ["a", "a"]);
        assert_eq!(driver.read_values::<String>("b").unwrap(), ["b"]);
        assert_eq!(
            driver.read_values::<String>("fixed").unwrap(),
            ["a", "fixed", "fixed", "b", "a"]
        );
    }

    #[test]
    fn an_illegal_choice_fails_the_record_alone() {
        let mut driver = driver();
        for (topic, reason) in [("two words", "`two words`"), ("in", "loop")] {
            let error = driver.pipe("in", &Keyless, topic).unwrap_err().to_string();
            assert!(
                error.contains("produce failed") && error.contains(reason),
                "{error}"
            );
        }
        assert!(driver.read_all_raw().is_empty());
        driver.pipe("in", &Keyless, "fine").unwrap();
        assert_eq!(driver.read_values::<String>("fine").unwrap(), ["fine"]);
    }
}
