//! The properties that reach librdkafka: the user's, over defaults that suit the runtime, under those it depends on.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// librdkafka properties of a deployment, passed through to every client of the job.
///
/// Properties that only a consumer knows do no harm to a producer, and the other way round. Those that exactly-once
/// depends on (`isolation.level`, `enable.auto.commit`, `transactional.id`, …) are the runtime's own and are refused.
///
/// ```
/// # use streams::runtime::Properties;
/// let mut properties = Properties::new("localhost:9092");
/// properties.set("compression.type", "lz4").unwrap();
/// assert!(properties.set("isolation.level", "read_uncommitted").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Properties {
    values: BTreeMap<String, String>,
}

/// Properties that the runtime sets itself, and the reason why a user may not.
const RESERVED: &[(&str, &str)] = &[
    ("enable.auto.commit", "offsets are committed by checkpoints"),
    (
        "enable.auto.offset.store",
        "offsets are committed by checkpoints",
    ),
    (
        "enable.partition.eof",
        "positions would be wrong after a rebalance",
    ),
    ("isolation.level", "it follows from the guarantee"),
    ("transactional.id", "set `transactional_id_prefix`"),
    ("transaction.timeout.ms", "set `transaction_timeout`"),
    ("group.id", "it is the application id"),
    (
        "group.instance.id",
        "it follows from the instance id in the state directory",
    ),
    ("auto.offset.reset", "set `offset_reset`"),
    (
        "enable.idempotence",
        "producers of a job are always idempotent",
    ),
    (
        "delivery.report.only.error",
        "the runtime asks for no other delivery reports",
    ),
];

impl Properties {
    /// The properties of a cluster: `bootstrap.servers` is a comma-separated list of `host:port`.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        let mut properties = Self::default();
        properties
            .values
            .insert("bootstrap.servers".into(), bootstrap_servers.into());
        properties
    }

    /// Where the cluster is.
    pub fn bootstrap_servers(&self) -> &str {
        self.values
            .get("bootstrap.servers")
            .map_or("", String::as_str)
    }

    /// Sets a librdkafka property.
    ///
    /// # Errors
    ///
    /// If the runtime depends on the property, with what to set instead.
    pub fn set(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> crate::Result<&mut Self> {
        let key = key.into();
        if let Some((_, why)) = RESERVED.iter().find(|(reserved, _)| *reserved == key) {
            return Err(crate::Error::Configuration(format!(
                "`{key}` cannot be set as a property: {why}"
            )));
        }
        self.values.insert(key, value.into());
        Ok(self)
    }

    /// Sets the properties of a file: one `key=value` a line; empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, a line has no `=`, or [`set`](Self::set) refuses a property.
    pub fn load(&mut self, file: &Path) -> crate::Result<&mut Self> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            crate::Error::Configuration(format!("property file {}: {e}", file.display()))
        })?;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| {
                crate::Error::Configuration(format!(
                    "property file {}, line {number}: expected `key=value`, found `{line}`",
                    file.display()
                ))
            })?;
            self.set(key.trim(), value.trim())?;
        }
        Ok(self)
    }

    fn base(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.values {
            config.set(key, value);
        }
        // Its notice that a property is for the other kind of client says nothing about a job.
        config.set("log.connection.close", "false");
        config
    }

    /// For metadata, topics and offsets.
    pub(crate) fn admin(&self) -> ClientConfig {
        self.base(&[])
    }

    /// For a member of the job's group.
    pub(crate) fn consumer(&self, settings: &ConsumerSettings<'_>) -> ClientConfig {
        let mut config = self.base(&[
            ("partition.assignment.strategy", "range"),
            ("group.remote.assignor", "range"),
            ("fetch.queue.backoff.ms", "5"),
            // Enough to keep a fast job busy; the byte limit keeps large records from filling the memory.
            ("queued.min.messages", "200000"),
            ("queued.max.messages.kbytes", "65536"),
            ("fetch.wait.max.ms", "100"),
            ("session.timeout.ms", "10000"),
            ("heartbeat.interval.ms", "1000"),
        ]);
        // A group protocol of the broker's own has these settings on the broker.
        if self
            .values
            .get("group.protocol")
            .is_some_and(|p| p == "consumer")
        {
            for key in [
                "session.timeout.ms",
                "heartbeat.interval.ms",
                "partition.assignment.strategy",
            ] {
                config.remove(key);
            }
        } else {
            config.remove("group.remote.assignor");
        }
        config
            .set("group.instance.id", settings.group_instance_id)
            .set("group.id", settings.group_id)
            .set("auto.offset.reset", settings.offset_reset)
            .set("isolation.level", settings.isolation_level)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false");
        config
    }

    fn any_producer(&self) -> ClientConfig {
        let mut config = self.base(&[
            ("linger.ms", "20"),
            ("batch.size", "1000000"),
            ("batch.num.messages", "100000"),
            ("queue.buffering.max.messages", "1000000"),
            ("queue.buffering.max.kbytes", "262144"),
        ]);
        config
            .set("enable.idempotence", "true")
            .set("delivery.report.only.error", "true");
        config
    }

    /// For the producer of a stream thread under at-least-once.
    pub(crate) fn idempotent_producer(&self) -> ClientConfig {
        self.any_producer()
    }

    /// For the producer of a stream thread under exactly-once.
    pub(crate) fn transactional_producer(
        &self,
        transactional_id: &str,
        timeout: Duration,
    ) -> ClientConfig {
        let mut config = self.any_producer();
        config
            .set_log_level(RDKafkaLogLevel::Debug)
            // The client tells the producer's id and epoch nowhere else than in this part of its log.
            .set("debug", debug_with_eos(self.values.get("debug")))
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout.as_millis().to_string());
        config
    }
}

fn debug_with_eos(chosen: Option<&String>) -> String {
    chosen.map_or_else(|| "eos".to_owned(), |chosen| format!("{chosen},eos"))
}

/// What a consumer needs to be told besides the user's properties.
pub(crate) struct ConsumerSettings<'a> {
    pub(crate) group_id: &'a str,
    /// Stable over restarts, so that a restart causes no rebalance (KIP-345).
    pub(crate) group_instance_id: &'a str,
    pub(crate) offset_reset: &'a str,
    pub(crate) isolation_level: &'a str,
}

/// librdkafka's own log, in ours.
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    #[test]
    fn a_property_file_is_read_line_by_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(
            file,
            "# a comment\n\nsecurity.protocol = SASL_SSL\nsasl.username=streams"
        )
        .unwrap();
        let mut properties = Properties::new("localhost:9092");
        properties.load(file.path()).unwrap();
        assert_eq!(
            properties.admin().get("security.protocol"),
            Some("SASL_SSL")
        );
        assert_eq!(properties.admin().get("sasl.username"), Some("streams"));
    }

    #[test]
    fn a_line_without_a_value_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "compression.type=lz4\nnonsense").unwrap();
        let error = Properties::new("localhost:9092")
            .load(file.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 2: expected `key=value`, found `nonsense`"),
            "{error}"
        );
    }

    #[test]
    fn what_exactly_once_depends_on_is_refused() {
        let error = Properties::new("localhost:9092")
            .set("transactional.id", "mine")
            .unwrap_err()
            .to_string();
        assert!(error.contains("set `transactional_id_prefix`"), "{error}");
    }

    #[test]
    fn a_user_property_wins_over_a_default() {
        let mut properties = Properties::new("localhost:9092");
        properties.set("linger.ms", "0").unwrap();
        assert_eq!(properties.idempotent_producer().get("linger.ms"), Some("0"));
    }
}
