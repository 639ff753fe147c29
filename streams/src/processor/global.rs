//! Global tables, at run time.

use super::{Failure, InputRecord, Outcome};
use crate::serde::{Deserializer, Serde};
use crate::state::{GlobalId, GlobalState};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Reads the topic of a global table into its store. Not a part of any task: whoever reads the topic calls it.
pub(crate) trait GlobalReader: Send + Sync {
    fn process(&self, state: &GlobalState, input: InputRecord<'_>) -> Outcome;
}

/// Has a record processed by user code that may panic: that is a failure of the record, as in a task.
pub(crate) fn process_global(
    reader: &dyn GlobalReader,
    state: &GlobalState,
    input: InputRecord<'_>,
) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| reader.process(state, input)))
        .unwrap_or_else(|panic| Err(Box::new(Failure::of_panic(&*panic))))
}

pub(crate) struct TypedGlobalReader<K: ?Sized, V, KS, VS> {
    pub(crate) id: GlobalId,
    pub(crate) key: Arc<KS>,
    pub(crate) value: Arc<VS>,
    pub(crate) of: PhantomData<fn(&K) -> V>,
}

impl<K: ?Sized, V, KS: Deserializer<K>, VS: Serde<V>> GlobalReader
    for TypedGlobalReader<K, V, KS, VS>
{
    fn process(&self, state: &GlobalState, input: InputRecord<'_>) -> Outcome {
        let Some(key) = input.key else {
            return Ok(());
        };
        // What cannot be read is found when it comes, not when it is looked up. The bytes themselves are kept.
        let read = self.key.read(Some(key), |_| ());
        read.map_err(|e| Failure::unreadable("key", e))?;
        let entry = match input.value {
            Some(value) => {
                let read = self.value.deserialize(value);
                read.map_err(|e| Failure::unreadable("value", e))?;
                let mut entry = input.timestamp.to_be_bytes().to_vec();
                entry.extend_from_slice(value);
                Some(entry)
            }
            None => None,
        };
        Ok(state.put(self.id, key, entry.as_deref())?)
    }
}
