//! The properties that reach librdkafka: the user's, over defaults that suit the runtime, under those it depends on.

use super::record_limits::RecordLimits;
use super::reserved;
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
    /// The largest batch that each output topic takes, where the cluster has told it.
    topic_limits: BTreeMap<String, usize>,
}

/// What is said of membership in a group.
const MEMBERSHIP: [&str; 5] = [
    "group.protocol",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
];

/// For what reads: a topic that could not be looked up when reading began is not looked up before, in 5 minutes by
/// librdkafka's default. Kafka's own clients ask again at once.
const LOOKED_UP_AGAIN: (&str, &str) = ("topic.metadata.refresh.interval.ms", "5000");

/// librdkafka's own default.
const METADATA_AGE: Duration = Duration::from_secs(300);

/// The largest batch that is made.
const BATCH_SIZE: usize = 1_000_000;

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

    /// Sets a librdkafka property. The value is taken as it is, blanks included.
    ///
    /// # Errors
    ///
    /// If the runtime depends on the property, with what to set instead; if librdkafka knows no such property, or refuses the
    /// value; if `bootstrap.servers` names no broker. Properties that belong together are compared when a client is made.
    pub fn set(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> crate::Result<&mut Self> {
        let (key, value) = (key.into(), value.into());
        reserved::permit(&key, &value)
            .and_then(|()| super::property::accept(&key, &value))
            .and_then(|()| names_a_broker(&key, &value))
            .map_err(crate::Error::Configuration)?;
        self.values
            .insert(reserved::canonical(&key).to_owned(), value);
        Ok(self)
    }

    /// Sets the properties of a file: one `key=value` a line; empty lines and lines that begin with `#` are skipped. Blanks
    /// around key and value do not belong to them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, a line has no `=`, or [`set`](Self::set) refuses a property.
    pub fn load(&mut self, file: &Path) -> crate::Result<&mut Self> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            crate::Error::Configuration(format!("property file {}: {e}", file.display()))
        })?;
        for (number, line) in (1..).zip(text.lines()) {
            self.load_line(line.trim()).map_err(|error| {
                let file = file.display();
                crate::Error::Configuration(format!("property file {file}, line {number}: {error}"))
            })?;
        }
        Ok(self)
    }

    fn load_line(&mut self, line: &str) -> crate::Result<()> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        // The line is not told: it may be a password.
        let (key, value) = line.split_once('=').ok_or_else(|| {
            crate::Error::Configuration("expected `key=value`, found no `=`".to_owned())
        })?;
        self.set(key.trim(), value.trim()).map(|_| ())
    }

    /// Names the job's clients where the user has not: `client.id` is the start of each client's own.
    pub(crate) fn name_clients(&mut self, client_id: String) {
        self.values.entry("client.id".into()).or_insert(client_id);
    }

    /// What the cluster takes for the output topics: no batch is made larger than the smallest of them, since a batch that
    /// a broker refuses takes all of its records along.
    pub(crate) fn limit_topics(&mut self, limits: BTreeMap<String, usize>) {
        self.topic_limits = limits;
    }

    /// The largest records that may be written.
    pub(crate) fn record_limits(&self) -> RecordLimits {
        let said = self.values.get("message.max.bytes");
        let client = said.and_then(|bytes| bytes.parse().ok());
        RecordLimits::new(client, self.topic_limits.clone())
    }

    fn batch_size(&self) -> usize {
        let limits = self.topic_limits.values().copied();
        limits.min().unwrap_or(BATCH_SIZE).clamp(1, BATCH_SIZE)
    }

    /// Whether these properties leave a transaction the time that it has. The client would refuse them later, by other names.
    ///
    /// # Errors
    ///
    /// The property that is too large.
    pub(crate) fn check_transaction_timeout(&self, timeout: Duration) -> crate::Result<()> {
        let timeout = timeout.as_millis();
        for (property, most) in [
            ("message.timeout.ms", timeout),
            ("socket.timeout.ms", timeout.saturating_add(100)),
        ] {
            let said = self.values.get(property);
            let said = said.and_then(|ms| ms.trim().parse::<u128>().ok());
            if let Some(ms) = said.filter(|ms| *ms > most) {
                return Err(crate::Error::Configuration(format!(
                    "property `{property}` is {ms}, but `transaction_timeout` is {timeout} ms, so it may be at most {most}: leave \
                     it out, lower it, or raise `transaction_timeout`"
                )));
            }
        }
        Ok(())
    }

    /// How old what is known of a topic may be (`topic.metadata.refresh.interval.ms`).
    pub(crate) fn metadata_age(&self) -> Duration {
        let said = self.values.get("topic.metadata.refresh.interval.ms");
        match said.and_then(|ms| ms.trim().parse::<i64>().ok()) {
            Some(ms) => u64::try_from(ms).map_or(Duration::MAX, Duration::from_millis),
            None => METADATA_AGE,
        }
    }

    /// `role` tells a client from the others of the job, as in Kafka Streams: brokers show it in their logs and metrics.
    fn base(&self, role: &str, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        // The OpenSSL that is built in does not know where this system keeps its certificates.
        #[cfg(feature = "tls")]
        config.set("ssl.ca.location", "probe");
        // Brokers close idle connections, which is nothing to tell of.
        config.set("log.connection.close", "false");
        // A producer would have the brokers make what it asks about by name: a topic with a slip in its name, or a changelog
        // that was deleted, with settings that lose state.
        config.set("allow.auto.create.topics", "false");
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.values {
            config.set(key, value);
        }
        if let Some(client_id) = self.values.get("client.id") {
            config.set("client.id", format!("{client_id}-{role}"));
        }
        // Who asks for these lines wants to see them.
        if self.shows_debug_lines() {
            config.set_log_level(RDKafkaLogLevel::Debug);
        }
        config
    }

    /// Whether the user has asked for the clients' debug lines.
    pub(crate) fn shows_debug_lines(&self) -> bool {
        self.values.contains_key("debug")
    }

    /// For metadata, topics and offsets.
    pub(crate) fn admin(&self) -> ClientConfig {
        let mut config = self.base("admin", &[]);
        leave_to_members(&mut config);
        // The end of a partition is the end of its log, also where transactions are open in it.
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// For the first contact: a broker that comes up late is to be noticed soon.
    pub(super) fn first_contact(&self) -> ClientConfig {
        let mut config = self.admin();
        // Here it is what there is to tell.
        config.set("log.connection.close", "true");
        if !self.shows_debug_lines() {
            config.set_log_level(RDKafkaLogLevel::Info);
        }
        let own = ["reconnect.backoff.ms", "reconnect.backoff.max.ms"];
        if !own.iter().any(|key| self.values.contains_key(*key)) {
            config.set("reconnect.backoff.max.ms", "500");
        }
        config
    }

    /// For reading partitions outside of the group, whose offsets may be asked for.
    pub(crate) fn reader(&self, group_id: &str) -> ClientConfig {
        let mut config = self.base(
            "restore-consumer",
            &[
                ("fetch.queue.backoff.ms", "5"),
                ("queued.min.messages", "200000"),
                ("queued.max.messages.kbytes", "65536"),
                ("fetch.wait.max.ms", "100"),
                // One partition is often all that is read: fewer requests, none of which is sent before the last is answered.
                ("max.partition.fetch.bytes", "4194304"),
                LOOKED_UP_AGAIN,
            ],
        );
        leave_to_members(&mut config);
        config
            .set("group.id", group_id)
            // Where an offset is not there, the one who reads decides what that means.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false");
        config
    }

    /// For a member of the job's group.
    pub(crate) fn consumer(&self, settings: &ConsumerSettings<'_>) -> ClientConfig {
        let role = format!("{}-consumer", settings.thread);
        let mut config = self.base(
            &role,
            &[
                ("partition.assignment.strategy", "range"),
                ("group.remote.assignor", "range"),
                ("fetch.queue.backoff.ms", "5"),
                // Enough to keep a fast job busy; the byte limit keeps large records from filling the memory.
                ("queued.min.messages", "200000"),
                ("queued.max.messages.kbytes", "65536"),
                ("fetch.wait.max.ms", "100"),
                ("session.timeout.ms", "10000"),
                ("heartbeat.interval.ms", "1000"),
                LOOKED_UP_AGAIN,
            ],
        );
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
            // The runtime itself says where to begin, and looks at it when a position is outside of the log.
            .set("auto.offset.reset", "error")
            .set("isolation.level", settings.isolation_level)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false");
        config
    }

    fn any_producer(&self, thread: usize) -> ClientConfig {
        let mut config = self.base(
            &format!("{thread}-producer"),
            &[
                ("linger.ms", "20"),
                ("batch.size", &self.batch_size().to_string()),
                ("batch.num.messages", "100000"),
                ("queue.buffering.max.messages", "1000000"),
                ("queue.buffering.max.kbytes", "262144"),
            ],
        );
        leave_to_members(&mut config);
        config
            .set("enable.idempotence", "true")
            // For the ends of changelogs, within the transaction that writes them.
            .set("isolation.level", "read_uncommitted")
            .set("delivery.report.only.error", "true");
        config
    }

    /// For the producer of a stream thread under at-least-once.
    pub(crate) fn idempotent_producer(&self, thread: usize) -> ClientConfig {
        self.any_producer(thread)
    }

    /// For the producer of a stream thread under exactly-once.
    pub(crate) fn transactional_producer(
        &self,
        thread: usize,
        transactional_id: &str,
        timeout: Duration,
    ) -> ClientConfig {
        let mut config = self.any_producer(thread);
        config
            .set_log_level(RDKafkaLogLevel::Debug)
            // The client tells the producer's id and epoch nowhere else than in this part of its log.
            .set("debug", debug_with_eos(self.values.get("debug")))
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout.as_millis().to_string());
        if !self.values.contains_key(IDLE) {
            config.set(IDLE, PRODUCER_IDLE_MS);
        }
        config
    }
}

/// Offsets that are sent for a coordinator which has left the cluster are sent on when the connection to any broker changes,
/// and without that never: the call does not return, whatever its timeout (librdkafka 2.12, issue 5511). A producer that waits
/// so is silent, so its connections end after this, and come again.
const PRODUCER_IDLE_MS: &str = "15000";

const IDLE: &str = "connections.max.idle.ms";

/// Takes out what only a member of a group has: librdkafka holds one against the others, also in clients that are none.
fn leave_to_members(config: &mut ClientConfig) {
    for key in MEMBERSHIP {
        config.remove(key);
    }
}

fn debug_with_eos(chosen: Option<&String>) -> String {
    chosen.map_or_else(|| "eos".to_owned(), |chosen| format!("{chosen},eos"))
}

/// What a consumer needs to be told besides the user's properties.
pub(crate) struct ConsumerSettings<'a> {
    /// The stream thread that it reads for.
    pub(crate) thread: usize,
    pub(crate) group_id: &'a str,
    /// Stable over restarts, so that a restart causes no rebalance (KIP-345).
    pub(crate) group_instance_id: &'a str,
    pub(crate) isolation_level: &'a str,
}

/// An empty list of brokers, as of a variable that is not set, must not be taken for none: the command line starts an embedded
/// Kafka where nothing says where Kafka is.
fn names_a_broker(key: &str, value: &str) -> Result<(), String> {
    let is_empty = || value.split(',').all(|server| server.trim().is_empty());
    match reserved::canonical(key) == "bootstrap.servers" && is_empty() {
        true => Err(format!(
            "property `{key}` names no broker; write `HOST:PORT`, or leave it out"
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
