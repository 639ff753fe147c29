//! A store that cannot be read or written.

use crate::processor::Failure;
use std::fmt;

/// Why a store could not be read or written. It ends the task: no policy can skip it, since what is kept can no longer be
/// trusted to follow from what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreError {
    pub(crate) store: String,
    /// What was tried: "reading", "writing".
    pub(crate) doing: &'static str,
    pub(crate) reason: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            doing,
            reason,
        } = self;
        write!(f, "{doing} the state store `{store}` failed: {reason}")
    }
}

impl From<StoreError> for crate::Error {
    #[cold]
    fn from(error: StoreError) -> Self {
        Self::State(error.to_string())
    }
}

// Not an `Error`: every `Error` becomes a failure of user code with `?`, and this one is none.
impl From<StoreError> for Box<Failure> {
    #[cold]
    fn from(error: StoreError) -> Self {
        Failure::store(error)
    }
}
