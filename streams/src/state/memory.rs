//! A store in memory, made again from its changelog after every start.

use super::{
    Committed, Kept, KeyRange, Order, Origin, Reached, Residence, Scan, StoreError, Value, Writes,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    reached: Option<Reached>,
    origin: Option<Origin>,
}

impl Committed for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        Ok(self.entries.get(key).map(|value| Value::Lent(value)))
    }

    fn scan(&self, range: &KeyRange, order: Order) -> Scan<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let entries = self.entries.range::<[u8], _>(range.as_bounds());
        let entries = entries.map(|(key, value)| {
            Ok((
                Cow::Borrowed(key.as_slice()),
                Cow::Borrowed(value.as_slice()),
            ))
        });
        match order {
            Order::Ascending => Box::new(entries),
            Order::Descending => Box::new(entries.rev()),
        }
    }

    fn kept(&self) -> Result<Option<Kept>, StoreError> {
        Ok(self.reached.map(|reached| Kept {
            reached,
            // It does not live long enough for that to matter.
            at: None,
            origin: self.origin,
        }))
    }

    fn set_origin(&mut self, origin: Origin) {
        self.origin = Some(origin);
    }

    fn apply(
        &mut self,
        writes: Writes<'_, '_>,
        reached: Option<Reached>,
    ) -> Result<(), StoreError> {
        for (key, value) in writes {
            match (value, self.entries.get_mut(key)) {
                (Some(value), Some(kept)) => {
                    kept.clear();
                    kept.extend_from_slice(value);
                }
                (Some(value), None) => {
                    self.entries.insert(key.to_vec(), value.to_vec());
                }
                (None, _) => {
                    self.entries.remove(key);
                }
            }
        }
        self.reached = reached.or(self.reached);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        // What comes is of the same as what was there.
        *self = Self {
            origin: self.origin,
            ..Self::default()
        };
        Ok(())
    }

    fn residence(&self) -> Residence {
        Residence::Memory
    }
}
