//! What a topology function returns, and how it is written.

use super::{KStream, KTable};
use crate::serde::{WriteKey, WriteValue};

/// What a topology function may return, one for each `#[sink]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to a topic",
    label = "a topology returns `KStream`s and `KTable`s, one for each `#[sink]`",
    note = "if the function returns nothing, write inside of it with `.to(\"topic\")`"
)]
pub trait IntoSink {
    /// The key type of the topic.
    type Key: ?Sized;
    /// The value type of the topic.
    type Value: ?Sized;

    /// The stream that is written.
    fn into_sink(self) -> KStream<Self::Key, Self::Value>;
}

impl<K: ?Sized, V: ?Sized> IntoSink for KStream<K, V> {
    type Key = K;
    type Value = V;

    fn into_sink(self) -> KStream<K, V> {
        self
    }
}

/// A returned table's updates are written, with a null where a row was removed.
impl<K: ?Sized + 'static, V: Clone + 'static> IntoSink for KTable<K, V> {
    type Key = K;
    type Value = Option<V>;

    #[track_caller]
    fn into_sink(self) -> KStream<K, Option<V>> {
        self.to_stream()
    }
}

/// Writes a returned stream to the topic of its `#[sink]`.
#[track_caller]
pub fn sink<S: IntoSink<Key: 'static, Value: 'static>>(
    stream: S,
    topic: &str,
    key: impl WriteKey<S::Key>,
    value: impl WriteValue<S::Value>,
) {
    stream.into_sink().to_with(topic, key, value);
}
