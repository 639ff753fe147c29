//! Where bytes become records: the only place of the graph without types.

use super::{Context, Failure, InputRecord, Next, Outcome, Record};
use crate::serde::Deserializer;

/// A reader of a source topic.
pub(crate) trait Source: Send + Sync {
    fn process(&self, cx: &mut Context, input: InputRecord<'_>) -> Outcome;
}

/// Reads key and value by their serdes and lends them to the graph.
pub(crate) struct TypedSource<K: ?Sized, V: ?Sized, KS, VS> {
    pub(crate) key: KS,
    pub(crate) value: VS,
    pub(crate) next: Next<K, V>,
}

impl<K: ?Sized, V: ?Sized, KS: Deserializer<K>, VS: Deserializer<V>> Source
    for TypedSource<K, V, KS, VS>
{
    #[inline]
    fn process(&self, cx: &mut Context, input: InputRecord<'_>) -> Outcome {
        let InputRecord {
            timestamp, headers, ..
        } = input;
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
