//! [`EmbeddedKafka`]: the broker with a runtime and a thread of its own, and the builder that starts it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::addresses::{Advertised, listen, warn_beyond_loopback};
use crate::broker::{Broker, Limits, Node};
use crate::clock::millis;
use crate::faults::Fault;
use crate::log::Reach;
use crate::server;
use crate::settings::Settings;
use crate::shared::Shared;

/// The default of [`Builder::max_partitions`].
const MAX_PARTITIONS: usize = 100_000;
/// The default of [`Builder::max_log_bytes`].
const MAX_LOG_BYTES: usize = 4 << 30;
/// The default of [`Builder::max_coordinator_bytes`].
const MAX_COORDINATOR_BYTES: usize = 256 << 20;
/// The default of [`Builder::max_traffic_bytes`].
const MAX_TRAFFIC_BYTES: usize = 16 << 20;
/// The default of [`Builder::max_decompressed_bytes`].
const MAX_DECOMPRESSED_BYTES: usize = 64 << 20;

/// Why the broker could not be started or could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// An address that clients cannot be told.
    #[error("cannot tell clients to connect to {address:?}: {reason}")]
    Advertised {
        /// The address that was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The broker's threads could not be started.
    #[error("cannot start the broker's threads: {0}")]
    Threads(io::Error),
    /// A setting that doesn't exist, or a value that it doesn't admit.
    #[error("{0}")]
    Setting(String),
    /// A text that says nothing of a [`Fault`].
    #[error("{0}")]
    Fault(String),
    /// A topic that cannot be created.
    #[error("cannot create topic {name:?}: {reason}")]
    Topic {
        /// Its name.
        name: String,
        /// The broker's words.
        reason: String,
    },
}

/// Names and values of a topic's configurations.
type Configs = Vec<(String, String)>;

/// How a broker is to be started; made by [`EmbeddedKafka::builder`].
///
/// ```
/// use streams_broker::EmbeddedKafka;
///
/// # fn main() -> Result<(), streams_broker::Error> {
/// let kafka = EmbeddedKafka::builder()
///     .topic("input", 4)
///     .setting("auto.create.topics.enable", "false")
///     .setting("group.min.session.timeout.ms", "100")
///     .max_log_bytes(64 << 20)
///     .start()?;
/// println!("bootstrap.servers={}", kafka.bootstrap_servers());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct Builder {
    listen: String,
    advertised: Option<String>,
    topics: Vec<(String, i32, Configs)>,
    settings: Vec<(String, String)>,
    marker_delay: Duration,
    max_log_bytes: usize,
    max_partitions: usize,
    max_coordinator_bytes: usize,
    max_traffic_bytes: usize,
    max_decompressed_bytes: usize,
    faults: Vec<Fault>,
}

impl Builder {
    /// The address to listen on, `host:port`; port 0 takes a free one. Default `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// The address that clients are told to connect to, `host:port`, as Apache Kafka's `advertised.listeners` says it;
    /// port 0 is the port that is listened on. By default it is the address that is listened on, and `127.0.0.1` where that
    /// is `0.0.0.0`, which only clients on this machine reach.
    ///
    /// ```no_run
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// // For clients in containers, which know this machine by another name.
    /// let kafka = EmbeddedKafka::builder()
    ///     .listen("0.0.0.0:9092")
    ///     .advertised_listener("host.docker.internal:9092")
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn advertised_listener(mut self, address: impl Into<String>) -> Self {
        self.advertised = Some(address.into());
        self
    }

    /// A topic that is there from the start.
    pub fn topic(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.topics.push((name.into(), partitions, Configs::new()));
        self
    }

    /// The same with configurations under Apache Kafka's names.
    ///
    /// ```
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::builder()
    ///     .topic_with_configs("table", 4, [("cleanup.policy", "compact"), ("segment.ms", "1000")])
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn topic_with_configs<N: Into<String>, V: Into<String>>(
        mut self,
        name: impl Into<String>,
        partitions: i32,
        configs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let configs = configs.into_iter();
        let configs = configs.map(|(name, value)| (name.into(), value.into()));
        self.topics
            .push((name.into(), partitions, configs.collect()));
        self
    }

    /// A broker setting under Apache Kafka's name, such as `transaction.max.timeout.ms`, with Apache Kafka's default
    /// where it isn't set. One that has no effect here is refused at the start, with a list of those that have; and so is a
    /// value that Apache Kafka refuses, in its words.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// How long the markers of an ended transaction keep clients waiting. Default zero; Apache Kafka takes 1 to 25 ms.
    pub fn marker_delay(mut self, delay: Duration) -> Self {
        self.marker_delay = delay;
        self
    }

    /// The most bytes of records that the broker keeps, in all partitions together, with 200 for each batch, what it
    /// remembers of those who wrote them (their last sequences, markers, aborted transactions), and the topics'
    /// configurations. Default 4 GiB.
    ///
    /// A batch above it is refused with POLICY_VIOLATION (44), which clients do not retry, and words that say so, as are
    /// configurations; it is admitted again when records have been deleted, by retention, compaction or DeleteRecords. The setting
    /// `max.connections` bounds the connections, and `socket.request.max.bytes` a request.
    pub fn max_log_bytes(mut self, bytes: usize) -> Self {
        self.max_log_bytes = bytes;
        self
    }

    /// The most partitions that all topics have together. Default 100,000.
    ///
    /// A topic that would bring more is refused with POLICY_VIOLATION (44), and words that say so.
    pub fn max_partitions(mut self, partitions: usize) -> Self {
        self.max_partitions = partitions;
        self
    }

    /// About how many bytes the coordinators keep: groups with their members, offsets, transactional ids and what their
    /// transactions cover. Default 256 MiB.
    ///
    /// Where there is no room for what a request may leave, it is refused with POLICY_VIOLATION (44), and a warning is
    /// logged: JoinGroup, SyncGroup, ConsumerGroupHeartbeat, OffsetCommit, TxnOffsetCommit, InitProducerId,
    /// AddPartitionsToTxn, AddOffsetsToTxn, and a Produce that registers its partition (version 12 on). There is room again when groups or offsets are deleted, or what nobody uses
    /// has expired (`offsets.retention.minutes`, `transactional.id.expiration.ms`).
    pub fn max_coordinator_bytes(mut self, bytes: usize) -> Self {
        self.max_coordinator_bytes = bytes;
        self
    }

    /// About how many bytes of the last requests are remembered for [`EmbeddedKafka::requests`], and so many for each fault
    /// once more. Default 16 MiB. The last request is always there.
    pub fn max_traffic_bytes(mut self, bytes: usize) -> Self {
        self.max_traffic_bytes = bytes;
        self
    }

    /// The most bytes that the records of one batch may have when they are decompressed. Default 64 MiB.
    ///
    /// They are decompressed to be checked, one batch at a time on each of the broker's threads, and again when they are
    /// compacted or looked for by time. A batch above it is refused with MESSAGE_TOO_LARGE (10) and words that say so, and a
    /// warning is logged; Apache Kafka has no such limit. Records that are not compressed are bounded by
    /// `max.message.bytes` alone.
    pub fn max_decompressed_bytes(mut self, bytes: usize) -> Self {
        self.max_decompressed_bytes = bytes;
        self
    }

    /// Something that goes wrong from the first request on; several add up. [`EmbeddedKafka::faults`] has their handles, in
    /// the same order.
    ///
    /// ```
    /// use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
    ///
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// // A coordinator that is not there yet, as on a cluster that has just started.
    /// let slow = Fault::fail(ApiKey::FindCoordinator, ErrorCode::CoordinatorNotAvailable).first(3);
    /// let kafka = EmbeddedKafka::builder().fault(slow).start()?;
    /// // … clients start …
    /// for fault in kafka.faults() {
    ///     println!("struck {} times", fault.struck().len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Starts the broker and returns once it listens.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] if the address is taken or none, [`Error::Advertised`] if clients cannot be told theirs,
    /// [`Error::Setting`] if there is no such setting or value, [`Error::Topic`] if a topic cannot be created,
    /// [`Error::Threads`] if the system has no more of them.
    pub fn start(self) -> Result<EmbeddedKafka, Error> {
        let mut settings = Settings::broker();
        settings
            .set_all(&self.settings)
            .map_err(|invalid| Error::Setting(invalid.to_string()))?;
        let refused = |source| Error::Listen {
            address: self.listen.clone(),
            source,
        };
        let (listener, address) = listen(&self.listen).map_err(refused)?;
        let advertised = match &self.advertised {
            None => Advertised::same_as(address),
            Some(told) => Advertised::parse(told, address).map_err(|reason| Error::Advertised {
                address: told.clone(),
                reason,
            })?,
        };
        warn_beyond_loopback(address, &advertised);
        let bootstrap_servers = advertised.server();
        let node = Node {
            id: settings.int("broker.id"),
            host: advertised.host,
            port: advertised.port,
        };
        let shared = Arc::new(Shared::new(Broker::new(
            node,
            settings,
            Limits {
                marker_delay: millis(self.marker_delay),
                log_bytes: self.max_log_bytes,
                partitions: self.max_partitions,
                coordinator_bytes: self.max_coordinator_bytes,
                traffic_bytes: self.max_traffic_bytes,
                decompressed_bytes: self.max_decompressed_bytes,
            },
        )));
        for fault in self.faults {
            // Its handle is in `EmbeddedKafka::faults`.
            let _ = shared.faults.inject(fault);
        }
        let kafka = EmbeddedKafka::run((listener, address), shared, bootstrap_servers)?;
        for (name, partitions, configs) in &self.topics {
            kafka.create_topic_with_configs(name, *partitions, configs)?;
        }
        Ok(kafka)
    }
}

/// A Kafka broker in this process. Dropping it shuts it down.
///
/// For development and tests: it keeps everything in memory, and has no replication, no access control and no TLS.
#[derive(Debug)]
pub struct EmbeddedKafka {
    bootstrap_servers: String,
    address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cut: watch::Sender<u64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedKafka {
    /// Starts a broker on a free port of the loopback address.
    ///
    /// May be called from anywhere, async code included: the broker has its own threads.
    ///
    /// # Errors
    ///
    /// If no port or no thread can be had.
    pub fn start() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// A broker with topics, settings or an address of choice.
    pub fn builder() -> Builder {
        Builder {
            listen: "127.0.0.1:0".to_owned(),
            advertised: None,
            topics: Vec::new(),
            settings: Vec::new(),
            marker_delay: Duration::ZERO,
            max_log_bytes: MAX_LOG_BYTES,
            max_partitions: MAX_PARTITIONS,
            max_coordinator_bytes: MAX_COORDINATOR_BYTES,
            max_traffic_bytes: MAX_TRAFFIC_BYTES,
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
            faults: Vec::new(),
        }
    }

    fn run(
        (listener, address): (TcpListener, SocketAddr),
        shared: Arc<Shared>,
        bootstrap_servers: String,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("embedded-kafka")
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        let (cut, cut_receiver) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let main = move || {
            runtime.block_on(async move {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "the listener cannot be used"),
                };
                tokio::select! {
                    () = server::serve(listener, Arc::clone(&served), cut_receiver) => {}
                    () = served.keep_time() => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        };
        let thread = std::thread::Builder::new()
            .name("embedded-kafka".to_owned())
            .spawn(main);
        let thread = Some(thread.map_err(Error::Threads)?);
        tracing::info!(
            address = bootstrap_servers,
            "embedded Kafka broker, for development and tests only"
        );
        Ok(Self {
            bootstrap_servers,
            address,
            shared,
            cut,
            stop: Some(stop),
            thread,
        })
    }

    /// The address for clients' `bootstrap.servers`: the one that they are told, see [`Builder::advertised_listener`].
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The address that is listened on, with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Creates a topic.
    ///
    /// # Errors
    ///
    /// If it exists, or its name or number of partitions is illegal.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Error> {
        self.create_topic_with_configs(name, partitions, &[] as &[(&str, &str)])
    }

    /// Creates a topic with configurations under Apache Kafka's names.
    ///
    /// ```
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::start()?;
    /// kafka.create_topic_with_configs("table", 4, &[("cleanup.policy", "compact")])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If it exists, or its name, number of partitions or a configuration is illegal.
    pub fn create_topic_with_configs(
        &self,
        name: &str,
        partitions: i32,
        configs: &[(impl AsRef<str>, impl AsRef<str>)],
    ) -> Result<(), Error> {
        let topic = |reason| Error::Topic {
            name: name.to_owned(),
            reason,
        };
        let mut settings = Settings::topic();
        for (config, value) in configs {
            let set = settings.set(config.as_ref(), value.as_ref());
            set.map_err(|invalid| topic(invalid.to_string()))?;
        }
        let mut broker = self.shared.lock();
        let created = broker.create_topic(name, partitions, settings);
        created.map_err(|refused| topic(refused.message))?;
        Ok(())
    }

    /// Deletes what the topics' retention doesn't keep, now and not only every `log.retention.check.interval.ms`.
    pub fn apply_retention(&self) {
        self.shared.with(Broker::apply_retention);
    }

    /// Compacts the topics whose `cleanup.policy` has `compact`, now and not only every `log.cleaner.backoff.ms`.
    ///
    /// Of each key the last record stays, at its offset. All but the last batch of a partition is compacted, as if a new
    /// segment had begun; what lies above the last stable offset, or is younger than `min.compaction.lag.ms`, is not.
    /// Tombstones go with the first compaction after `delete.retention.ms`. What is compressed stays so.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streams_broker::EmbeddedKafka;
    /// # fn main() -> Result<(), streams_broker::Error> {
    /// let kafka = EmbeddedKafka::builder().setting("log.cleanup.policy", "compact").start()?;
    /// // … clients write keys, and delete some …
    /// kafka.compact();
    /// // A day later the deleted ones leave nothing behind.
    /// kafka.advance_clock(Duration::from_secs(24 * 3600));
    /// kafka.compact();
    /// # Ok(())
    /// # }
    /// ```
    pub fn compact(&self) {
        self.shared.with(|broker| {
            let now = broker.now();
            broker.topics.compact(Reach::Everything, now);
        });
    }

    /// Shuts down: connections are closed, the port is free, the data are gone.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread logs its own failure; there is nobody to hand it to.
            let _ = thread.join();
        }
    }
}

impl Drop for EmbeddedKafka {
    fn drop(&mut self) {
        self.stop();
    }
}
