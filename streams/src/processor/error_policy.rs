//! What becomes of a record that failed: decided here, for the runtime and the test driver alike.

use super::{ErrorClass, Failure, Headers, ProcessorFailure};
use crate::config::{ErrorPolicy, OnError};

/// Where the failed record was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// What is done with a failed record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision<'p> {
    /// The job ends with the failure.
    Fail,
    /// The job goes on as if the record had not been there.
    Skip,
    /// The record is written to `topic` as it was read, with `headers` behind its own.
    DeadLetter { topic: &'p str, headers: Headers },
}

/// Applies the policy of the failure's class. The names of the headers are those of Kafka Streams' dead letter queue.
pub(crate) fn decide<'p>(
    on_error: &'p OnError,
    failure: &Failure,
    at: &Location<'_>,
) -> Decision<'p> {
    apply(on_error, failure, || reasons(failure, at))
}

/// Applies the policy to what fails apart from a record that was read. The dead letter of one that had waited in a buffer is
/// that record; that of a punctuator, which no record has led to, has neither key nor value. `headers` are all of its headers.
pub(crate) fn decide_punctuation<'p>(
    on_error: &'p OnError,
    failed: &ProcessorFailure,
) -> Decision<'p> {
    apply(on_error, &failed.failure, || {
        let waited = failed.released.as_deref();
        let mut headers = waited
            .map(|record| record.headers.clone())
            .unwrap_or_default();
        add_reason(&mut headers, &failed.failure);
        add(&mut headers, "processor", &failed.processor);
        headers
    })
}

fn apply<'p>(
    on_error: &'p OnError,
    failure: &Failure,
    headers: impl FnOnce() -> Headers,
) -> Decision<'p> {
    let policy = match failure.class() {
        ErrorClass::Deserialize => &on_error.deserialize,
        ErrorClass::Process => &on_error.process,
        ErrorClass::Produce => &on_error.produce,
        ErrorClass::State => return Decision::Fail,
    };
    match policy {
        ErrorPolicy::Fail => Decision::Fail,
        ErrorPolicy::Skip => Decision::Skip,
        ErrorPolicy::DeadLetter(topic) => Decision::DeadLetter {
            topic,
            headers: headers(),
        },
    }
}

fn add_reason(headers: &mut Headers, failure: &Failure) {
    add(headers, "exception", &failure.class().to_string());
    add(headers, "message", &failure.to_string());
}

fn reasons(failure: &Failure, at: &Location<'_>) -> Headers {
    let mut headers = Headers::default();
    add_reason(&mut headers, failure);
    add(&mut headers, "topic", at.topic);
    add(&mut headers, "partition", &at.partition.to_string());
    add(&mut headers, "offset", &at.offset.to_string());
    headers
}

fn add(headers: &mut Headers, name: &str, value: &str) {
    headers.add(&format!("__streams.errors.{name}"), Some(value.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serde::SerdeError;

    const AT: Location<'static> = Location {
        topic: "in",
        partition: 3,
        offset: 17,
    };

    #[test]
    fn each_class_has_its_own_policy() {
        let on_error = OnError {
            deserialize: ErrorPolicy::Skip,
            process: ErrorPolicy::Fail,
            produce: ErrorPolicy::DeadLetter("rejected".to_owned()),
        };
        assert_eq!(
            decide(
                &on_error,
                &Failure::unreadable("value", SerdeError::new("bad")),
                &AT
            ),
            Decision::Skip
        );
        assert_eq!(decide(&on_error, &Failure::new("bad"), &AT), Decision::Fail);
        let produce = Failure::unwritable("value", "out", SerdeError::new("bad"));
        assert!(matches!(
            decide(&on_error, &produce, &AT),
            Decision::DeadLetter {
                topic: "rejected",
                ..
            }
        ));
    }

    #[test]
    fn a_dead_letter_says_why_and_where_it_comes_from() {
        let headers = reasons(
            &Failure::unreadable("value", SerdeError::new("not text")),
            &AT,
        );
        let all: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n, String::from_utf8_lossy(v.unwrap_or_default())))
            .collect();
        let all: Vec<_> = all.iter().map(|(n, v)| (*n, v.as_ref())).collect();
        assert_eq!(
            all,
            [
                ("__streams.errors.exception", "deserialize"),
                (
                    "__streams.errors.message",
                    "the value cannot be read: not text"
                ),
                ("__streams.errors.topic", "in"),
                ("__streams.errors.partition", "3"),
                ("__streams.errors.offset", "17"),
            ]
        );
    }
}
