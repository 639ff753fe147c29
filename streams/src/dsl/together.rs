//! A stream behind a repartition topic that several operators share.

use super::KStream;
use crate::operators::NullKeys;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

/// The stream with equal keys in one partition, once an operator has needed it so.
pub(crate) struct BroughtTogether<K: ?Sized, V: ?Sized>(OnceCell<Shared<K, V>>);

struct Shared<K: ?Sized, V: ?Sized> {
    stream: KStream<K, V>,
    /// What becomes of null keys, which is known when the topology is built.
    null_keys: Rc<Cell<NullKeys>>,
}

impl<K: ?Sized, V: ?Sized> Default for BroughtTogether<K, V> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<K: ?Sized, V: ?Sized> BroughtTogether<K, V> {
    /// Remembers it for the operators to come.
    pub(crate) fn share(&self, stream: &KStream<K, V>, null_keys: &Rc<Cell<NullKeys>>) {
        // There is one already only where nobody looked for it.
        let _ = self.0.set(Shared {
            stream: stream.clone(),
            null_keys: null_keys.clone(),
        });
    }

    /// What an earlier operator needed. Null keys come along if one of them has a use for them; the others drop them by
    /// themselves.
    pub(crate) fn shared(&self, null_keys: NullKeys) -> Option<KStream<K, V>> {
        let shared = self.0.get()?;
        if null_keys == NullKeys::Keep {
            shared.null_keys.set(NullKeys::Keep);
        }
        Some(shared.stream.clone())
    }
}
