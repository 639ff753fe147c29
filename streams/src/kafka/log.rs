//! librdkafka's log lines, as lines of ours.

use rdkafka::config::RDKafkaLogLevel;

/// Logs a line as what it is for a user: librdkafka warns of much that it mends by itself.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => {
            tracing::warn!(target: "streams::librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::debug!(target: "streams::librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => {
            tracing::trace!(target: "streams::librdkafka", facility, "{message}")
        }
    }
}
