//! `process`: a user's own operator.

use crate::dsl::{KStream, Outlet, Partitioning};
use crate::processor::{
    Connect, Connecting, Instance, Processor, ProcessorNode, ProcessorSpec, Punctuator,
};
use crate::topology::Kind;
use std::marker::PhantomData;
use std::panic::Location;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Processes the records by a [`Processor`] of one's own. The supplier makes an instance for each task.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// /// Passes every third record on.
    /// #[derive(Default)]
    /// struct EveryThird(usize);
    ///
    /// impl Processor<String, str> for EveryThird {
    ///     type KeyOut = String;
    ///     type ValueOut = str;
    ///     fn process(&mut self, record: Record<'_, String, str>, cx: &mut ProcessorContext<'_, String, str>) -> Outcome {
    ///         self.0 += 1;
    ///         if self.0 % 3 == 0 { cx.forward(record) } else { Ok(()) }
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<String, str>("in").process(EveryThird::default).to("out");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for word in ["a", "b", "c", "d"] {
    ///     driver.pipe("in", "key", word)?;
    /// }
    /// assert_eq!(driver.read_values::<String>("out")?, ["c"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn process<P: Processor<K, V>>(
        &self,
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> KStream<P::KeyOut, P::ValueOut> {
        self.process_with((), move |()| supplier())
    }

    /// As [`process`](Self::process), connected with stores, further outputs, or a tuple of them: the supplier gets a typed
    /// handle for each.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// /// Passes on only what was not seen before.
    /// struct Unseen(KeyValueStore<str, i64>);
    ///
    /// impl Processor<Keyless, str> for Unseen {
    ///     type KeyOut = str;
    ///     type ValueOut = str;
    ///     fn process(&mut self, record: Record<'_, Keyless, str>, cx: &mut ProcessorContext<'_, str, str>) -> Outcome {
    ///         match self.0.put_if_absent(cx, record.value, &record.timestamp)? {
    ///             None => cx.forward(record.with_key(record.value)),
    ///             Some(_) => Ok(()),
    ///         }
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new("unseen");
    /// let seen = builder.store(Stores::key_value::<str, i64>("seen"));
    /// builder.stream::<Keyless, str>("words").process_with(&seen, Unseen).to("unseen");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// for word in ["a", "b", "a"] {
    ///     driver.pipe("words", &Keyless, word)?;
    /// }
    /// assert_eq!(driver.read_values::<String>("unseen")?, ["a", "b"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn process_with<C: Connect, P: Processor<K, V>>(
        &self,
        connected: C,
        supplier: impl Fn(C::Connected) -> P + Send + Sync + 'static,
    ) -> KStream<P::KeyOut, P::ValueOut> {
        let node = self.node_behind(Kind::Operator("process"));
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
                    Box::new(Instance::<P, Punctuator<P, P::KeyOut, P::ValueOut>>::new(
                        supplier(handles.clone()),
                    ))
                }),
                lifecycle: Box::new(ProcessorNode::<P, K, V, _, _> {
                    slot,
                    next: children.link_shared(),
                    of: PhantomData,
                }),
            })
        });
        self.outlet().add(Box::new(move || {
            Box::new(ProcessorNode::<P, K, V, _, _> {
                slot,
                next: children.link_shared(),
                of: PhantomData,
            })
        }));
        KStream::new(outlet, node, self.builder().clone()).partitioned(Partitioning::Changed)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;
    use std::num::NonZero;

    /// Tells all that a processor knows; panics or fails where the value says so.
    #[derive(Default)]
    struct Teller(u64);

    impl Processor<String, str> for Teller {
        type KeyOut = String;
        type ValueOut = str;
        fn process(
            &mut self,
            record: Record<'_, String, str>,
            cx: &mut ProcessorContext<'_, String, str>,
        ) -> Outcome {
            self.0 += 1;
            let at = cx.record_metadata().unwrap();
            let text = format!(
                "{}/{}/{} {} {}",
                at.topic,
                at.partition,
                at.offset,
                cx.stream_time(),
                self.0
            );
            cx.forward(record.with_value(&text))?;
            match record.value {
                "panic" => panic!("as it was told"),
                "fail" => Err("x".parse::<i32>().map(|_| ()).unwrap_err())?,
                _ => Ok(()),
            }
        }
    }

    fn driver(policy: ErrorPolicy) -> TopologyTestDriver {
        driver_of(policy, NonZero::<u16>::MIN)
    }

    fn driver_of(policy: ErrorPolicy, partitions: NonZero<u16>) -> TopologyTestDriver {
        let builder = TopologyBuilder::new("app");
        builder.on_process_error(policy);
        builder
            .stream::<String, str>("in")
            .process(Teller::default)
            .to("out");
        TopologyTestDriver::with_partitions(builder.build(), partitions).unwrap()
    }

    fn record(value: &str) -> TestRecord<String, String> {
        TestRecord::new("k".to_owned(), value.to_owned())
    }

    #[test]
    fn each_task_has_its_own_instance_offsets_and_stream_time() {
        let mut driver = driver_of(ErrorPolicy::Fail, NonZero::new(3).unwrap());
        driver.pipe_record_to("in", 0, &record("").at(7)).unwrap();
        driver.pipe_record_to("in", 2, &record("").at(5)).unwrap();
        driver.pipe_record_to("in", 0, &record("").at(3)).unwrap();
        assert_eq!(
            driver.read_values::<String>("out").unwrap(),
            ["in/0/0 7 1", "in/2/0 5 1", "in/0/1 7 2"]
        );
    }

    #[test]
    fn a_record_that_fails_leaves_nothing_and_the_instance_stays() {
        for value in ["panic", "fail"] {
            let mut driver = driver(ErrorPolicy::Skip);
            for value in ["", value, ""] {
                driver.pipe("in", "k", value).unwrap();
            }
            assert_eq!(
                driver.read_values::<String>("out").unwrap(),
                ["in/0/0 0 1", "in/0/2 0 3"]
            );
        }
    }

    #[test]
    fn a_panic_under_fail_is_an_error_that_tells_record_and_message() {
        let error = driver(ErrorPolicy::Fail)
            .pipe("in", "k", "panic")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("process failed") && error.contains("offset 0 of in-0"),
            "{error}"
        );
        assert!(error.contains("as it was told"), "{error}");
    }

    #[test]
    fn a_dead_letter_is_the_record_as_it_was_with_the_reason_behind_its_headers() {
        let mut driver = driver(ErrorPolicy::DeadLetter("dead".to_owned()));
        driver
            .pipe_record("in", &record("fail").at(4).header("own", "1"))
            .unwrap();
        let dead = driver.read::<String, String>("dead").unwrap();
        let reason = "invalid digit found in string";
        let expected = [
            ("exception", "process"),
            ("message", reason),
            ("topic", "in"),
            ("partition", "0"),
            ("offset", "0"),
        ];
        let with_reason = |record: TestRecord<_, _>, (name, value): &(&str, &str)| {
            record.header(&format!("__streams.errors.{name}"), value)
        };
        assert_eq!(
            dead,
            [expected
                .iter()
                .fold(record("fail").at(4).header("own", "1"), with_reason)]
        );
        assert!(driver.read_all_raw().is_empty());
    }
}
