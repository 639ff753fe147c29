//! `for_each`: end a stream in a function.

use crate::dsl::KStream;
use crate::processor::{Context, Outcome, Process, Record};
use crate::topology::Kind;

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Calls `act` with each record, and ends the stream there.
    ///
    /// A record may be processed again after a failure, so what `act` does outside of Kafka may be done twice.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use streams::prelude::*;
    ///
    /// let words = Arc::new(Mutex::new(Vec::new()));
    /// let seen = words.clone();
    /// let builder = TopologyBuilder::new("app");
    /// builder.stream::<Keyless, String>("words").for_each(move |_, word| seen.lock().unwrap().push(word.clone()));
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, "hey")?;
    /// assert_eq!(*words.lock().unwrap(), ["hey"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each(&self, act: impl Fn(&K, &V) + Send + Sync + 'static) {
        self.end(Kind::Operator("for-each"), ForEach { act });
    }
}

struct ForEach<F> {
    act: F,
}

impl<K: ?Sized, V: ?Sized, F: Fn(&K, &V) + Send + Sync> Process<K, V> for ForEach<F> {
    fn process(&self, _: &mut Context, record: Record<'_, K, V>) -> Outcome {
        (self.act)(record.key, record.value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn every_record_is_acted_on_and_nothing_is_written() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = seen.clone();
        let builder = TopologyBuilder::new("app");
        builder
            .stream::<String, i64>("in")
            .for_each(move |key, n| notes.lock().unwrap().push((key.clone(), *n)));
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        for n in [1_i64, 2] {
            driver.pipe("in", "k", &n).unwrap();
        }
        assert_eq!(
            *seen.lock().unwrap(),
            [("k".to_owned(), 1), ("k".to_owned(), 2)]
        );
        assert!(driver.read_all_raw().is_empty());
    }
}
