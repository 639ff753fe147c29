//! `peek`: look at records that go by.

use crate::dsl::KStream;
use crate::processor::{Context, Next, Outcome, Process, Record};

impl<K: ?Sized + 'static, V: ?Sized + 'static> KStream<K, V> {
    /// Calls `look` with each record and passes it on.
    ///
    /// A record may be processed again after a failure, so what `look` does outside of Kafka may be done twice.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    /// use streams::prelude::*;
    ///
    /// let count = Arc::new(AtomicU64::new(0));
    /// let seen = count.clone();
    /// let builder = TopologyBuilder::new("app");
    /// let words = builder.stream::<Keyless, str>("words");
    /// words.peek(move |_, _| { seen.fetch_add(1, Ordering::Relaxed); }).to("copy");
    ///
    /// let mut driver = TopologyTestDriver::new(builder.build())?;
    /// driver.pipe("words", &Keyless, "hey")?;
    /// assert_eq!(count.load(Ordering::Relaxed), 1);
    /// assert_eq!(driver.read_values::<String>("copy")?, ["hey"]);
    /// # Ok::<(), streams::Error>(())
    /// ```
    #[track_caller]
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> KStream<K, V> {
        self.then("peek", |next| Peek { look, next })
    }
}

struct Peek<F, K: ?Sized, V: ?Sized> {
    look: F,
    next: Next<K, V>,
}

impl<K: ?Sized, V: ?Sized, F: Fn(&K, &V) + Send + Sync> Process<K, V> for Peek<F, K, V> {
    #[inline]
    fn process(&self, cx: &mut Context, record: Record<'_, K, V>) -> Outcome {
        (self.look)(record.key, record.value);
        self.next.process(cx, record)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::prelude::*;
    use crate::testing::TestRecord;
    use std::sync::{Arc, Mutex};

    #[test]
    fn every_record_is_seen_and_goes_on_whole() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = seen.clone();
        let builder = TopologyBuilder::new("app");
        let input = builder.stream::<String, i64>("in");
        input
            .peek(move |key, n| notes.lock().unwrap().push((key.clone(), *n)))
            .to("out");
        let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
        let record = TestRecord::new("k".to_owned(), 1_i64)
            .at(5)
            .header("h", "1");
        driver.pipe_record("in", &record).unwrap();
        assert_eq!(*seen.lock().unwrap(), [("k".to_owned(), 1)]);
        assert_eq!(driver.read::<String, i64>("out").unwrap(), [record]);
    }
}
