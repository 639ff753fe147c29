//! Why bytes are not a value, or a value could not be written.

use std::error::Error;
use std::fmt;

/// Bytes that are not a value of the type, or a value that the format cannot hold. Made from any error with `?`.
pub struct SerdeError(Box<dyn Error + Send + Sync>);

impl SerdeError {
    /// An error that says `reason`.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }

    /// A null where the type has no place for one.
    #[cold]
    pub fn null<T: ?Sized>() -> Self {
        Self::new(format!(
            "it is null, and `{0}` has no place for a null; `Option<{0}>` has",
            short_name::<T>()
        ))
    }
}

/// The name of a type without the path that leads to it, as users write it.
fn short_name<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    if name.contains(['<', '(', '[', '&']) {
        name
    } else {
        name.rsplit("::").next().unwrap_or(name)
    }
}

// Not an `Error` itself: that is what lets it be made from every error.
impl<E: Error + Send + Sync + 'static> From<E> for SerdeError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
