//! Where bytes become records: the only place of the graph without types.

use super::{Context, Failure, Headers, InputRecord, Next, Outcome, Record};
use crate::serde::Deserializer;

/// A reader of a source topic.
pub(crate) trait Source: Send + Sync {
    /// What becomes of the headers.
    fn headers(&self) -> HeaderUse {
        HeaderUse::Keep
    }

    fn process(&self, cx: &mut Context, input: InputRecord<'_>) -> Outcome;
}

/// What a source does with the headers of the records that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderUse {
    Keep,
    /// Its records have none, whatever stands in the topic.
    Ignore,
}

/// Reads key and value by their serdes and lends them to the graph.
pub(crate) struct TypedSource<K: ?Sized, V: ?Sized, KS, VS> {
    pub(crate) key: KS,
    pub(crate) value: VS,
    pub(crate) headers: HeaderUse,
    pub(crate) next: Next<K, V>,
}

impl<K: ?Sized, V: ?Sized, KS: Deserializer<K>, VS: Deserializer<V>> Source
    for TypedSource<K, V, KS, VS>
{
    fn headers(&self) -> HeaderUse {
        self.headers
    }

    #[inline]
    fn process(&self, cx: &mut Context, input: InputRecord<'_>) -> Outcome {
        let InputRecord {
            timestamp, headers, ..
        } = input;
        let headers = match self.headers {
            HeaderUse::Keep => headers,
            HeaderUse::Ignore => Headers::EMPTY,
        };
        let read_value = |key: &K| {
            let run = |value: &V| {
                // Behind both serdes: a record that cannot be read does not move the stream's time.
                cx.observe(timestamp);
                self.next.process(
                    cx,
                    Record {
                        key,
                        value,
                        timestamp,
                        headers,
                    },
                )
            };
            self.value
                .read(input.value, run)
                .map_err(|e| Failure::unreadable("value", e))
        };
        self.key
            .read(input.key, read_value)
            .map_err(|e| Failure::unreadable("key", e))??
    }
}
