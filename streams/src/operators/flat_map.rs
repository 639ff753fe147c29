//! `flat_map`: make any number of records out of one.

use crate::dsl::{KStream, Partitioning};
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Makes each record into any number of records, with keys and values of their own.
    ///
    /// What the closure returns owns what it gives; [`flat_map_emit`](KStream::flat_map_emit) does without that.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let lines = builder.stream::<Keyless, String>("lines");
    /// lines.flat_map(|_, line| line.split(' ').map(|w| (w.to_owned(), 1_u64)).collect::<Vec<_>>()).to("words");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("lines", &Keyless, "to be")?;
    /// assert_eq!(driver.read_key_values::<String, u64>("words")?, [("to".to_owned(), 1), ("be".to_owned(), 1)]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<K2: 'static, V2: 'static, I: IntoIterator<Item = (K2, V2)>>(
        &self,
        map: impl Fn(&K, &V) -> I + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.then("flat-map", |next| FlatMap { map, next })
            .partitioned(Partitioning::Changed)
    }

    /// Makes each record into any number of records, which are lent: nothing is collected or copied.
    ///
    /// ```
    /// use streams::prelude::*;
    ///
    /// let builder = TopologyBuilder::new("app");
    /// let lines = builder.stream::<Keyless, str>("lines");
    /// lines
    ///     .flat_map_emit::<str, u64>(|_, line, out| line.split(' ').for_each(|word| out.emit(word, &1)))
    ///     .to("words");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("lines", &Keyless, "to be")?;
    /// assert_eq!(driver.read_key_values::<String, u64>("words")?, [("to".to_owned(), 1), ("be".to_owned(), 1)]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_emit<K2: ?Sized + 'static, V2: ?Sized + 'static>(
        &self,
        map: impl Fn(&K, &V, &mut Emitter<'_, K2, V2>) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.then("flat-map", |next| FlatMapEmit { map, next })
            .partitioned(Partitioning::Changed)
    }
}

/// Takes the records that [`flat_map_emit`](KStream::flat_map_emit)'s closure makes.
pub struct Emitter<'e, K: ?Sized, V: ?Sized> {
    cx: &'e mut Context,
    next: &'e dyn Process<K, V>,
    /// The record that was read, for its timestamp and headers.
    from: Record<'e, (), ()>,
    outcome: Outcome,
}

impl<K: ?Sized, V: ?Sized> Emitter<'_, K, V> {
    /// Passes a record on. Once one has failed the rest is ignored, since the whole input has failed with it.
    pub fn emit(&mut self, key: &K, value: &V) {
        if self.outcome.is_ok() {
            self.outcome = self
                .next
                .process(self.cx, self.from.with_key(key).with_value(value));
        }
    }
}

struct FlatMap<F, K2: ?Sized, V2: ?Sized> {
    map: F,
    next: Next<K2, V2>,
}

impl<K: ?Sized, V: ?Sized, K2, V2, I, F> Process<K, V> for FlatMap<F, K2, V2>
where
    I: IntoIterator<Item = (K2, V2)>,
    F: Fn(&K, &V) -> I + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        for (key, value) in (self.map)(record.key, record.value) {
            self.next
                .process(cx, record.with_key(&key).with_value(&value))?;
        }
        Ok(())
    }
}

struct FlatMapEmit<F, K2: ?Sized, V2: ?Sized> {
    map: F,
    next: Next<K2, V2>,
}

impl<K: ?Sized, V: ?Sized, K2: ?Sized, V2: ?Sized, F> Process<K, V> for FlatMapEmit<F, K2, V2>
where
    F: Fn(&K, &V, &mut Emitter<'_, K2, V2>) + Send + Sync,
{
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        let from = record.with_key(&()).with_value(&());
        let mut emitter = Emitter {
            cx,
            next: &*self.next,
            from,
            outcome: Ok(()),
        };
        (self.map)(record.key, record.value, &mut emitter);
        emitter.outcome
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;

    #[test]
    fn both_forms_keep_timestamp_and_headers() {
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<Keyless, str>("in");
        input
            .flat_map(|_, line| {
                line.split(' ')
                    .map(|w| (w.to_owned(), 1_u64))
                    .collect::<Vec<_>>()
            })
            .to("owned");
        input
            .flat_map_emit::<str, u64>(|_, line, out| line.split(' ').for_each(|w| out.emit(w, &1)))
            .to("lent");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        driver
            .pipe_record(
                "in",
                &TestRecord::new(Keyless, "a b".to_owned())
                    .at(5)
                    .header("h", "1"),
            )
            .unwrap();
        let expected = ["a", "b"].map(|word| {
            TestRecord::new(word.to_owned(), 1_u64)
                .at(5)
                .header("h", "1")
        });
        assert_eq!(driver.read::<String, u64>("owned").unwrap(), expected);
        assert_eq!(driver.read::<String, u64>("lent").unwrap(), expected);
    }
}
