//! The types of a store's entries, so that one who asks for others is told: keys of another type have other bytes, and would
//! be looked for in vain.

use std::any::{TypeId, type_name};
use std::fmt;

/// What types the keys and the values have. A borrowed key and an owned one, `str` and `String`, are the same.
#[derive(Clone, Copy, Debug)]
pub struct EntryTypes {
    ids: (TypeId, TypeId),
    names: (&'static str, &'static str),
}

impl EntryTypes {
    pub(crate) fn of<K: ToOwned + ?Sized + 'static, V: 'static>() -> Self {
        Self {
            ids: (TypeId::of::<K::Owned>(), TypeId::of::<V>()),
            names: (type_name::<K>(), type_name::<V>()),
        }
    }
}

impl PartialEq for EntryTypes {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}

impl fmt::Display for EntryTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = self.names;
        write!(f, "keys of type `{key}` and values of type `{value}`")
    }
}
