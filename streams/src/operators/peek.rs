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
