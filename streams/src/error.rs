//! What can go wrong, in words that name the remedy.

use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a topology could not be built, or a job could not start or go on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The topology contradicts itself; found before anything is contacted.
    #[error("{0}")]
    Topology(String),
    /// A setting is wrong, or contradicts another one.
    #[error("{0}")]
    Configuration(String),
    /// The cluster lacks what the job needs, or does not answer.
    #[error("{0}")]
    Cluster(String),
    /// The Kafka client failed in a way that no repetition can mend.
    #[error("{0}")]
    Client(String),
    /// The state of a task could not be read or written, or contradicts its changelog.
    #[error("{0}")]
    State(String),
    /// A record could not be processed, and the error policy of its class is `fail`.
    #[error(
        "{class} failed for the record at offset {offset} of {topic}-{partition}: {reason}{}", without_it(.class)
    )]
    Record {
        /// `deserialize`, `process` or `produce`.
        class: String,
        /// The topic of the record that was being processed.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// What happened.
        reason: String,
    },
    /// A processor failed apart from a record: while it got ready, or in a punctuator whose error class has the policy `fail`.
    #[error(
        "{class} failed in the processor `{processor}` of task {task}, apart from a record: {reason}"
    )]
    Processor {
        /// `process`, `produce` or `state`.
        class: String,
        /// Its name in the topology.
        processor: String,
        /// The task, as Kafka Streams writes it: `<sub-topology>_<partition>`.
        task: String,
        /// What happened.
        reason: String,
    },
    /// Another process works in this state directory.
    #[error(
        "the state directory {} is in use by another process; stop that one, or give this one a directory of its own with `--state-dir`", path.display()
    )]
    StateDirectoryLocked {
        /// The directory.
        path: PathBuf,
    },
    /// A file or directory could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A stream thread panicked outside of user code: a bug of this library.
    #[error("a stream thread panicked outside of user code: {0}")]
    Panic(String),
}

/// As [`Display`](std::fmt::Display): this is what a `main` that returns the error prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// How a job would go on without the record, where it can.
fn without_it(class: &str) -> String {
    match class {
        // What is kept can no longer be trusted: no policy can skip that.
        "state" => String::new(),
        class => {
            format!("; `on_error({class} = skip)` or `dead_letter(..)` would go on without it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_only_where_one_can_go_on_without_the_record() {
        let told = |class: &str| {
            let (class, topic, reason) = (class.to_owned(), "in".to_owned(), "why".to_owned());
            let (partition, offset) = (1, 7);
            let error = Error::Record {
                class,
                topic,
                partition,
                offset,
                reason,
            };
            error.to_string()
        };
        let begin = |class| format!("{class} failed for the record at offset 7 of in-1: why");
        assert_eq!(told("state"), begin("state"));
        let skip = "; `on_error(produce = skip)` or `dead_letter(..)` would go on without it";
        assert_eq!(told("produce"), begin("produce") + skip);
    }
}
