//! `process_values`: a user's own operator that leaves the key alone.

use crate::dsl::{KStream, Outlet};
use crate::processor::{
    Connect, Connecting, FixedKeyNode, FixedKeyProcessor, FixedKeyPunctuator, Instance,
    ProcessorSpec,
};
use crate::topology::Kind;
use std::marker::PhantomData;
use std::panic::Location;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Processes the records by a [`FixedKeyProcessor`] of one's own, which cannot change the key: nothing needs to be
    /// repartitioned after. The supplier makes an instance for each task.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// /// Adds up the values.
    /// #[derive(Default)]
    /// struct Sum(i64);
    ///
    /// impl FixedKeyProcessor<str, i64> for Sum {
    ///     type ValueOut = i64;
    ///     fn process(&mut self, record: FixedKeyRecord<'_, str, i64>, cx: &mut FixedKeyContext<'_, str, i64>) -> Outcome {
    ///         self.0 += record.value();
    ///         cx.forward(record.with_value(&self.0))
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<str, i64>("in").process_values(Sum::default).to("sums");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for n in [1_i64, 2, 3] {
    ///     driver.pipe("in", "key", &n)?;
    /// }
    /// assert_eq!(driver.read_values::<i64>("sums")?, [1, 3, 6]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn process_values<P: FixedKeyProcessor<K, V>>(
        &self,
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> KStream<K, P::ValueOut> {
        self.process_values_with((), move |()| supplier())
    }

    /// As [`process_values`](Self::process_values), connected with stores, further outputs, or a tuple of them: the supplier
    /// gets a typed handle for each.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// /// Numbers the values of each key.
    /// struct Number(KeyValueStore<str, u64>);
    ///
    /// impl FixedKeyProcessor<str, str> for Number {
    ///     type ValueOut = str;
    ///     fn process(&mut self, record: FixedKeyRecord<'_, str, str>, cx: &mut FixedKeyContext<'_, str, str>) -> Outcome {
    ///         let number = self.0.get(cx, record.key())?.unwrap_or_default() + 1;
    ///         self.0.put(cx, record.key(), &number)?;
    ///         cx.forward(record.with_value(&format!("{number} {}", record.value())))
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("number");
    /// let numbers = builder.store(Stores::key_value::<str, u64>("numbers"));
    /// builder.stream::<str, str>("in").process_values_with(&numbers, Number).to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for (key, value) in [("a", "x"), ("b", "y"), ("a", "z")] {
    ///     driver.pipe("in", key, value)?;
    /// }
    /// assert_eq!(driver.read_values::<String>("out")?, ["1 x", "1 y", "2 z"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn process_values_with<C: Connect, P: FixedKeyProcessor<K, V>>(
        &self,
        connected: C,
        supplier: impl Fn(C::Connected) -> P + Send + Sync + 'static,
    ) -> KStream<K, P::ValueOut> {
        let node = self.node_behind(Kind::Operator("process-values"));
        let handles = connected.connect(&Connecting {
            builder: self.builder(),
            node,
            at: Location::caller(),
        });
        let outlet = Outlet::new();
        let children = outlet.clone();
        let slot = self.builder().add_processor(|slot| {
            let children = outlet.clone();
            Box::new(move || ProcessorSpec {
                node,
                table: None,
                supplier: Box::new(move || {
                    Box::new(Instance::<P, FixedKeyPunctuator<P, K, P::ValueOut>>::new(
                        supplier(handles.clone()),
                    ))
                }),
                lifecycle: Box::new(FixedKeyNode::<P, V, K, _> {
                    slot,
                    next: children.link_shared(),
                    of: PhantomData,
                }),
            })
        });
        self.outlet().add(Box::new(move || {
            Box::new(FixedKeyNode::<P, V, K, _> {
                slot,
                next: children.link_shared(),
                of: PhantomData,
            })
        }));
        KStream::new(outlet, node, self.builder().clone()).partitioned(self.partitioning())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    /// Numbers the values; panics where a value says so.
    #[derive(Default)]
    struct Numbered(u64);

    impl FixedKeyProcessor<String, str> for Numbered {
        type ValueOut = str;
        fn process(
            &mut self,
            record: FixedKeyRecord<'_, String, str>,
            cx: &mut FixedKeyContext<'_, String, str>,
        ) -> Outcome {
            self.0 += 1;
            let text = format!(
                "{}:{} {}",
                self.0,
                record.value(),
                cx.record_metadata().unwrap().offset
            );
            cx.forward(
                record
                    .with_value(text.as_str())
                    .with_timestamp(record.timestamp() + cx.stream_time()),
            )?;
            assert_ne!(record.value(), "panic");
            cx.forward(record.with_headers(Headers::EMPTY))
        }
    }

    #[test]
    fn values_times_and_headers_change_and_the_key_stays() {
        let builder = TopologyBuilder::new("app");
        builder.on_process_error(ErrorPolicy::Skip);
        builder
            .stream::<String, str>("in")
            .process_values(Numbered::default)
            .to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |value: &str| {
            TestRecord::new("k".to_owned(), value.to_owned())
                .at(2)
                .header("h", "1")
        };
        for value in ["a", "panic", "b"] {
            driver.pipe_record("in", &record(value)).unwrap();
        }
        let bare = |value: &str| TestRecord::new("k".to_owned(), value.to_owned()).at(2);
        let expected = [
            record("1:a 0").at(4),
            bare("a"),
            record("3:b 2").at(4),
            bare("b"),
        ];
        assert_eq!(driver.read::<String, String>("out").unwrap(), expected);
    }
}
