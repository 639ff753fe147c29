//! Whether librdkafka takes a property, asked before any client is made.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

/// Tries a property on a configuration of its own.
///
/// # Errors
///
/// What is wrong with it, and what to do. A value that may be a secret is not told.
pub(super) fn accept(key: &str, value: &str) -> Result<(), String> {
    let mut scratch = ClientConfig::new();
    match scratch.set(key, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Err(unknown(key))
        }
        Err(KafkaError::ClientConfig(_, reason, ..)) => Err(refused(reason.trim(), key, value)),
        Err(error) => Err(format!("property `{key}`: {error}")),
    }
}

/// What Kafka Streams has as a property, and a job as something else.
const OF_KAFKA_STREAMS: &[(&str, &str)] = &[
    ("application.id", "`application_id`"),
    ("commit.interval.ms", "`checkpoint_interval`"),
    ("num.stream.threads", "`stream_threads`"),
    ("processing.guarantee", "`guarantee`"),
    ("state.dir", "`--state-dir`, or `Job::state_dir`"),
    ("statestore.cache.max.bytes", "`statestore_cache_max_bytes`"),
    (
        "default.key.serde",
        "the type of the key, or `key = ..` of a source or sink",
    ),
    (
        "default.value.serde",
        "the type of the value, or `value = ..` of a source or sink",
    ),
];

fn unknown(key: &str) -> String {
    match OF_KAFKA_STREAMS.iter().find(|(theirs, _)| *theirs == key) {
        Some((_, ours)) => format!("`{key}` is a property of Kafka Streams; set {ours}"),
        None => format!("librdkafka knows no property `{key}`; see {}", reference()),
    }
}

/// A value that was refused, in librdkafka's words, which name the property and sometimes the value.
fn refused(reason: &str, key: &str, value: &str) -> String {
    if reason.contains("OpenSSL not available") {
        return format!(
            "{reason}; build with the feature `tls` of the `streams` crate, which `{key}` needs"
        );
    }
    // Some properties have two names, of which the reason has the other one.
    let property = match reason.contains(key) {
        true => String::new(),
        false => format!("property `{key}`: "),
    };
    // Text is taken as it is, so a value that is refused is a number or a word: no secret.
    let found = match reason.contains(value) {
        true => String::new(),
        false => format!(" (found `{value}`)"),
    };
    format!("{property}{reason}{found}; see {}", reference())
}

/// Where the properties of this librdkafka are described.
fn reference() -> String {
    let (_, version) = rdkafka::util::get_rdkafka_version();
    format!("https://github.com/confluentinc/librdkafka/blob/v{version}/CONFIGURATION.md")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn refusal(key: &str, value: &str) -> String {
        let message = accept(key, value).unwrap_err();
        assert!(message.contains(key), "{message}");
        message
    }

    #[test]
    fn properties_of_every_kind_are_taken() {
        for (key, value) in [
            ("linger.ms", "5"),
            ("compression.type", "lz4"),
            ("acks", "all"),
            ("debug", "broker,topic"),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.password", ""),
        ] {
            accept(key, value).unwrap();
        }
    }

    #[test]
    fn an_unknown_property_is_told_once_and_without_its_value() {
        let message = refusal("sasl.pasword", "hunter2");
        assert_eq!(message.matches("sasl.pasword").count(), 1, "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        assert!(message.ends_with("/CONFIGURATION.md"), "{message}");
    }

    #[test]
    fn a_property_of_kafka_streams_is_told_by_its_name_here() {
        let message = refusal("processing.guarantee", "exactly_once_v2");
        assert!(message.contains("set `guarantee`"), "{message}");
        for (theirs, _) in OF_KAFKA_STREAMS {
            refusal(theirs, "1");
        }
    }

    #[test]
    fn a_value_that_is_refused_is_told_once() {
        for (key, value) in [
            ("linger.ms", "abc"),
            ("linger.ms", "-77"),
            ("enable.sparse.connections", "perhaps"),
            ("security.protocol", "TLS"),
            ("debug", "all-of-it"),
        ] {
            let message = refusal(key, value);
            assert_eq!(message.matches(key).count(), 1, "{message}");
            assert_eq!(message.matches(value).count(), 1, "{message}");
            assert!(message.ends_with("/CONFIGURATION.md"), "{message}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn what_needs_tls_names_the_feature_and_no_secret() {
        for (key, value) in [
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", "/etc/ssl"),
            ("ssl.key.password", "hunter2"),
        ] {
            let message = refusal(key, value);
            assert!(message.contains("feature `tls`"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
