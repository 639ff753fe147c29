//! What becomes of a record that failed: decided here, for the runtime and the test driver alike.

use super::{ErrorClass, Failure, Headers};
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
    let policy = match failure.class() {
        ErrorClass::Deserialize => &on_error.deserialize,
        ErrorClass::Process => &on_error.process,
        ErrorClass::Produce => &on_error.produce,
    };
    match policy {
        ErrorPolicy::Fail => Decision::Fail,
        ErrorPolicy::Skip => Decision::Skip,
        ErrorPolicy::DeadLetter(topic) => Decision::DeadLetter {
            topic,
            headers: reasons(failure, at),
        },
    }
}

fn reasons(failure: &Failure, at: &Location<'_>) -> Headers {
    let mut headers = Headers::default();
    let mut add = |name: &str, value: String| {
        headers.add(&format!("__streams.errors.{name}"), Some(value.as_bytes()))
    };
    add("exception", failure.class().to_string());
    add("message", failure.to_string());
    add("topic", at.topic.to_owned());
    add("partition", at.partition.to_string());
    add("offset", at.offset.to_string());
    headers
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
