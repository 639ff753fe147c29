//! `flat_map_values`: make any number of values out of one.

use crate::dsl::KStream;
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Makes each value into any number of values, all under the record's key.
    ///
    /// What the closure returns owns what it gives; [`flat_map_values_emit`](KStream::flat_map_values_emit) does without
    /// that.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let lines = builder.stream::<Keyless, str>("lines");
    /// lines.flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).to("words");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("lines", &Keyless, "to be")?;
    /// assert_eq!(driver.read_values::<String>("words")?, ["to", "be"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values<V2: 'static, I: IntoIterator<Item = V2>>(
        &self,
        map: impl Fn(&V) -> I + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.then("flat-map-values", |next| FlatMapValues { map, next })
    }

    /// Makes each value into any number of values, which are lent: nothing is collected or copied.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let lines = builder.stream::<Keyless, str>("lines");
    /// lines.flat_map_values_emit::<str>(|line, out| line.split(' ').for_each(|word| out.emit(word))).to("words");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("lines", &Keyless, "to be")?;
    /// assert_eq!(driver.read_values::<String>("words")?, ["to", "be"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values_emit<V2: ?Sized + 'static>(
        &self,
        map: impl Fn(&V, &mut ValueEmitter<'_, K, V2>) + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.then("flat-map-values", |next| FlatMapValuesEmit { map, next })
    }
}

/// Takes the values that [`flat_map_values_emit`](KStream::flat_map_values_emit)'s closure makes.
pub struct ValueEmitter<'e, K: ?Sized, V: ?Sized> {
    cx: &'e mut Context,
    next: &'e dyn Process<K, V>,
    from: Record<'e, K, ()>,
    outcome: Outcome,
}

impl<K: ?Sized, V: ?Sized> ValueEmitter<'_, K, V> {
    /// Passes a value on. Once one has failed the rest is ignored, since the whole input has failed with it.
    pub fn emit(&mut self, value: &V) {
        if self.outcome.is_ok() {
            self.outcome = self.next.process(self.cx, self.from.with_value(value));
        }
    }
}

struct FlatMapValues<F, K: ?Sized, V2: ?Sized> {
    map: F,
    next: Next<K, V2>,
}

impl<K: ?Sized, V: ?Sized, V2, I, F> Process<K, V> for FlatMapValues<F, K, V2>
where
    I: IntoIterator<Item = V2>,
    F: Fn(&V) -> I + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        for value in (self.map)(record.value) {
            self.next.process(cx, record.with_value(&value))?;
        }
        Ok(())
    }
}

struct FlatMapValuesEmit<F, K: ?Sized, V2: ?Sized> {
    map: F,
    next: Next<K, V2>,
}

impl<K: ?Sized, V: ?Sized, V2: ?Sized, F> Process<K, V> for FlatMapValuesEmit<F, K, V2>
where
    F: Fn(&V, &mut ValueEmitter<'_, K, V2>) + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let mut emitter = ValueEmitter {
            cx,
            next: &*self.next,
            from: record.with_value(&()),
            outcome: Ok(()),
        };
        (self.map)(record.value, &mut emitter);
        emitter.outcome
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::serde::SerdeError;
    use crate::testing::TestRecord;

    #[test]
    fn both_forms_keep_key_timestamp_and_headers() {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<str, str>("in");
        input
            .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .to("owned");
        input
            .flat_map_values_emit::<str>(|line, out| line.split(' ').for_each(|w| out.emit(w)))
            .to("lent");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = |value: &str| {
            TestRecord::new("k".to_owned(), value.to_owned())
                .at(5)
                .header("h", "1")
        };
        driver.pipe_record("in", &record("a b")).unwrap();
        assert_eq!(
            driver.read::<String, String>("owned").unwrap(),
            [record("a"), record("b")]
        );
        assert_eq!(
            driver.read::<String, String>("lent").unwrap(),
            [record("a"), record("b")]
        );
    }

    /// Refuses the text "bad".
    struct Picky;

    impl Serde<String> for Picky {
        fn serialize(&self, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
            if value == "bad" {
                return Err(SerdeError::new("it is bad"));
            }
            out.extend_from_slice(value.as_bytes());
            Ok(())
        }
        fn deserialize(&self, _: &[u8]) -> Result<String, SerdeError> {
            Err(SerdeError::new("not needed"))
        }
    }

    #[test]
    fn when_one_value_fails_none_is_written() {
        for emit in [false, true] {
            let builder = TopologyBuilder::new("app");
            builder.on_produce_error(ErrorPolicy::Skip);
            let input = builder.stream::<Keyless, str>("in");
            let words = match emit {
                false => input
                    .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()),
                true => input.flat_map_values_emit(|line, out| {
                    line.split(' ').for_each(|w| out.emit(&w.to_owned()))
                }),
            };
            words.to_with("out", ByType, By(Picky));
            let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
            driver.pipe("in", &Keyless, "a bad b").unwrap();
            driver.pipe("in", &Keyless, "c").unwrap();
            assert_eq!(driver.read_values::<String>("out").unwrap(), ["c"]);
        }
    }
}
