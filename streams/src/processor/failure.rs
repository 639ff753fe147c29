//! Why a record could not be processed.

use crate::serde::SerdeError;
use crate::state::StoreError;
use std::any::Any;
use std::error::Error;
use std::fmt;

/// What a processor returns, and what its stores give. Any error becomes a [`Failure`] with `?`.
pub type Outcome<T = ()> = Result<T, Box<Failure>>;

/// The step at which a record failed. Each has a policy of its own in `on_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Its key or value could not be read.
    Deserialize,
    /// User code returned an error or panicked.
    Process,
    /// What came of it could not be written.
    Produce,
    /// A state store could not be read or written. No policy can skip it: the job ends.
    State,
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorClass::Deserialize => "deserialize",
            ErrorClass::Process => "process",
            ErrorClass::Produce => "produce",
            ErrorClass::State => "state",
        })
    }
}

/// Why a record could not be processed. It goes where the job's `on_error` says.
///
/// Not an [`Error`] itself, so that a processor can make one of any error with `?`.
#[derive(Debug)]
pub struct Failure {
    class: ErrorClass,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// The bytes of "key" or "value" are not what the type needs.
    Unreadable(&'static str, SerdeError),
    /// The "key" or "value" for this topic cannot be written.
    Unwritable(&'static str, String, SerdeError),
    User(Box<dyn Error + Send + Sync>),
    Panic(String),
    Other(String),
    Store(StoreError),
}

impl Failure {
    /// A failure in user code.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            class: ErrorClass::Process,
            reason: Reason::User(reason.into()),
        }
    }

    /// A panic of user code, as it was caught.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::panicked(text.unwrap_or_else(|| "no message".to_owned()))
    }

    pub(crate) fn panicked(message: String) -> Self {
        Self {
            class: ErrorClass::Process,
            reason: Reason::Panic(message),
        }
    }

    #[cold]
    pub(crate) fn unreadable(part: &'static str, error: SerdeError) -> Box<Self> {
        Box::new(Self {
            class: ErrorClass::Deserialize,
            reason: Reason::Unreadable(part, error),
        })
    }

    #[cold]
    pub(crate) fn unwritable(part: &'static str, topic: &str, error: SerdeError) -> Box<Self> {
        Box::new(Self {
            class: ErrorClass::Produce,
            reason: Reason::Unwritable(part, topic.to_owned(), error),
        })
    }

    #[cold]
    pub(crate) fn store(error: StoreError) -> Box<Self> {
        Box::new(Self {
            class: ErrorClass::State,
            reason: Reason::Store(error),
        })
    }

    #[cold]
    pub(crate) fn not_written(reason: String) -> Box<Self> {
        Box::new(Self {
            class: ErrorClass::Produce,
            reason: Reason::Other(reason),
        })
    }

    /// Kafka Streams' `FailOnInvalidTimestamp`: a record without a timestamp has no place in time.
    #[cold]
    pub(crate) fn timestamp(timestamp: i64) -> Box<Self> {
        Box::new(Self {
            class: ErrorClass::Deserialize,
            reason: Reason::Other(format!(
                "its timestamp is {timestamp}, where 0 or more is needed: it was written without one"
            )),
        })
    }

    /// The step at which it failed.
    pub fn class(&self) -> ErrorClass {
        self.class
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Unreadable(part, error) => write!(f, "the {part} cannot be read: {error}"),
            Reason::Unwritable(part, topic, error) => {
                write!(f, "the {part} cannot be written to `{topic}`: {error}")
            }
            Reason::User(error) => error.fmt(f),
            Reason::Panic(message) => write!(f, "panicked: {message}"),
            Reason::Other(reason) => f.write_str(reason),
            Reason::Store(error) => error.fmt(f),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Box<Failure> {
    #[cold]
    fn from(error: E) -> Self {
        Box::new(Failure::new(error))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn any_error_becomes_a_failure_of_the_process_class() {
        fn user_code() -> Outcome {
            let _: i32 = "x".parse()?;
            Ok(())
        }
        let failure = user_code().unwrap_err();
        assert_eq!(failure.class(), ErrorClass::Process);
        assert_eq!(failure.to_string(), "invalid digit found in string");
    }
}
