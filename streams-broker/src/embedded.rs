//! [`EmbeddedKafka`]: the broker with a runtime and a thread of its own, and the builder that starts it.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::broker::{Broker, Node, Shared};
use crate::clock::millis;
use crate::faults::{Fault, SeenRequest};
use crate::server;
use crate::settings::Settings;

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
    /// The broker's threads could not be started.
    #[error("cannot start the broker's threads: {0}")]
    Threads(io::Error),
    /// A setting that doesn't exist, or a value that it doesn't admit.
    #[error("{0}")]
    Setting(String),
    /// A topic that cannot be created.
    #[error("cannot create topic {name:?}: {reason}")]
    Topic {
        /// Its name.
        name: String,
        /// The broker's words.
        reason: String,
    },
}

/// How a broker is to be started; made by [`EmbeddedKafka::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct Builder {
    listen: String,
    topics: Vec<(String, i32)>,
    settings: Vec<(String, String)>,
    marker_delay: Duration,
}

impl Builder {
    /// The address to listen on, `host:port`; port 0 takes a free one. Default `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// A topic that is there from the start.
    pub fn topic(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.topics.push((name.into(), partitions));
        self
    }

    /// A broker setting under Apache Kafka's name, such as `transaction.max.timeout.ms`.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// How long the markers of an ended transaction keep clients waiting. Default zero; Apache Kafka takes 1 to 25 ms.
    pub fn marker_delay(mut self, delay: Duration) -> Self {
        self.marker_delay = delay;
        self
    }

    /// Starts the broker and returns once it listens.
    ///
    /// # Errors
    ///
    /// If the address is taken, a setting is unknown or a topic cannot be created.
    pub fn start(self) -> Result<EmbeddedKafka, Error> {
        let mut settings = Settings::broker();
        for (name, value) in &self.settings {
            settings
                .set(name, value)
                .map_err(|invalid| Error::Setting(invalid.to_string()))?;
        }
        let refused = |source| Error::Listen {
            address: self.listen.clone(),
            source,
        };
        let (listener, address) = listen(&self.listen).map_err(refused)?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "listening beyond this machine, without any access control");
        }
        let node = Node {
            id: settings.int("broker.id"),
            host: advertised_host(address),
            port: address.port(),
        };
        let bootstrap_servers = server_name(&node);
        let shared = Arc::new(Shared::new(Broker::new(
            node,
            settings,
            millis(self.marker_delay),
        )));
        let kafka = EmbeddedKafka::run(listener, shared, bootstrap_servers)?;
        for (name, partitions) in &self.topics {
            kafka.create_topic(name, *partitions)?;
        }
        Ok(kafka)
    }
}

fn listen(address: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address.to_socket_addrs()?.collect::<Vec<_>>().as_slice())?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Clients on this machine reach a broker that listens everywhere on the loopback address.
fn advertised_host(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        "127.0.0.1".to_owned()
    } else {
        address.ip().to_string()
    }
}

fn server_name(node: &Node) -> String {
    if node.host.contains(':') {
        format!("[{}]:{}", node.host, node.port)
    } else {
        format!("{}:{}", node.host, node.port)
    }
}

/// A Kafka broker in this process. Dropping it shuts it down.
///
/// For development and tests: it keeps everything in memory, and has no replication, no access control and no TLS.
#[derive(Debug)]
pub struct EmbeddedKafka {
    bootstrap_servers: String,
    shared: Arc<Shared>,
    cut: watch::Sender<u64>,
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
            topics: Vec::new(),
            settings: Vec::new(),
            marker_delay: Duration::ZERO,
        }
    }

    fn run(
        listener: TcpListener,
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
            shared,
            cut,
            stop: Some(stop),
            thread,
        })
    }

    /// The address for clients' `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Creates a topic.
    ///
    /// # Errors
    ///
    /// If it exists, or its name or number of partitions is illegal.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Error> {
        let mut broker = self.shared.lock();
        let created = broker.create_topic(name, partitions, Settings::topic());
        let topic = |reason| Error::Topic {
            name: name.to_owned(),
            reason,
        };
        created
            .map(|_| ())
            .map_err(|refused| topic(refused.message))
    }

    /// Makes something go wrong from now on.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// The requests that came, the oldest first; of very many the last 10,000.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.faults.seen()
    }

    /// Moves the broker's clock forward: sessions end, transactions time out, as if that time had passed.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// Deletes what the topics' retention doesn't keep, now and not only every `log.retention.check.interval.ms`.
    pub fn apply_retention(&self) {
        self.shared.with(Broker::apply_retention);
    }

    /// Restarts the broker: same port, same data, every connection cut.
    ///
    /// Topics, committed offsets and transactions are there again, as from Apache Kafka's logs: an open transaction is
    /// still open, a stable group still has its members; a rebalance that was going on begins anew.
    pub fn restart(&self) {
        self.shared.with(Broker::restarted);
        self.cut.send_modify(|count| *count += 1);
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
