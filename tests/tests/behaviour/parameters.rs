//! The parameters of a case. One that no topology asks for makes the case unknown: it is never ignored in silence.

use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

pub(crate) struct Parameters<'c> {
    values: &'c Map<String, Value>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'c> Parameters<'c> {
    pub(crate) fn new(values: &'c Map<String, Value>) -> Self {
        Self {
            values,
            asked: RefCell::default(),
        }
    }

    /// Whether it is set; without it, `default`.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> bool {
        match self.get(name) {
            Some(value) => value
                .as_bool()
                .unwrap_or_else(|| panic!("`{name}` is true or false, and not {value}")),
            None => default,
        }
    }

    /// A number, if it is set.
    pub(crate) fn number(&self, name: &'static str) -> Option<i64> {
        let number = |value: &Value| {
            value
                .as_i64()
                .unwrap_or_else(|| panic!("`{name}` is a number, and not {value}"))
        };
        self.get(name).map(number)
    }

    fn get(&self, name: &'static str) -> Option<&Value> {
        self.asked.borrow_mut().insert(name);
        self.values.get(name)
    }

    /// Whether each one that is set was asked for.
    pub(crate) fn all_asked_for(&self) -> bool {
        let asked = self.asked.borrow();
        self.values.keys().all(|name| asked.contains(name.as_str()))
    }
}
