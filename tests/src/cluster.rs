//! The Kafka that a test runs on.
//!
//! `KAFKA_BOOTSTRAP_SERVERS` names a cluster that runs already; else `TEST_KAFKA` says what to start: `embedded`
//! (the default; `streams-broker` in this process), `jvm` (Apache Kafka) or `docker` (Apache Kafka in a container; with
//! this crate's feature `docker`).

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use streams_broker::EmbeddedKafka;

#[cfg(feature = "docker")]
use crate::docker::Docker;
use crate::jvm::{ApacheKafka, Options};

/// How long the embedded broker takes from EndTxn to the markers. Apache Kafka takes 1 to 25 ms, in which the next
/// request of the producer is refused as concurrent: a client must get over that here too.
const MARKER_DELAY: Duration = Duration::from_millis(5);

/// As many nodes as it takes for one of them to be missing.
const REPLICATED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// A Kafka to test on, and the clients for it.
#[derive(Debug)]
pub struct TestCluster {
    bootstrap_servers: String,
    broker: Mutex<Broker>,
    /// Told apart from the names of other processes on the same cluster.
    run: u64,
    names: AtomicU64,
}

/// What stands behind a cluster.
enum Broker {
    /// A cluster that was there before: it is neither stopped nor restarted.
    External,
    Embedded(EmbeddedKafka),
    Jvm(ApacheKafka),
    #[cfg(feature = "docker")]
    Docker(Box<Docker>),
}

impl TestCluster {
    /// The cluster that the tests of this process share; it starts at its first use and ends with the process.
    pub fn shared() -> &'static TestCluster {
        static SHARED: OnceLock<TestCluster> = OnceLock::new();
        SHARED.get_or_init(TestCluster::start)
    }

    /// A cluster of the test's own, which it may restart and kill. It ends when it is dropped.
    ///
    /// # Panics
    ///
    /// When the cluster doesn't start, or `TEST_KAFKA` names none that is known.
    pub fn start() -> TestCluster {
        TestCluster::start_with(&[])
    }

    /// A cluster of the test's own whose broker has these settings, under Apache Kafka's names. A cluster that was there
    /// before has its own settings: see [`is_own`](TestCluster::is_own).
    ///
    /// # Panics
    ///
    /// When the cluster doesn't start, or `TEST_KAFKA` names none that is known.
    pub fn start_with(settings: &[(&str, &str)]) -> TestCluster {
        TestCluster::start_nodes(NonZeroUsize::MIN, settings)
    }

    /// A cluster of the test's own, of three nodes where Apache Kafka runs in JVMs: a job on it outlives the
    /// [restart](TestCluster::restart) of a node.
    ///
    /// A node that is alone and is stopped or killed may forget to end a transaction that it has told to be committed
    /// (seen with 4.3.1: the coordinator finds no leader while the node is fenced, takes the partitions for deleted, and
    /// writes no markers). No client can get over that.
    ///
    /// # Panics
    ///
    /// When the cluster doesn't start, or `TEST_KAFKA` names none that is known.
    pub fn start_replicated() -> TestCluster {
        TestCluster::start_nodes(REPLICATED, &[])
    }

    fn start_nodes(nodes: NonZeroUsize, settings: &[(&str, &str)]) -> TestCluster {
        if let Ok(bootstrap_servers) = std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
            return TestCluster::at(bootstrap_servers);
        }
        let kind = std::env::var("TEST_KAFKA").unwrap_or_else(|_| "embedded".to_owned());
        match kind.as_str() {
            "embedded" => TestCluster::embedded(settings),
            "jvm" => TestCluster::jvm(&Options {
                nodes,
                settings,
                ..Options::default()
            }),
            #[cfg(feature = "docker")]
            "docker" => {
                let kafka = Docker::start(settings);
                TestCluster::new(kafka.bootstrap_servers(), Broker::Docker(Box::new(kafka)))
            }
            #[cfg(not(feature = "docker"))]
            "docker" => panic!(
                "TEST_KAFKA=docker needs the feature `docker`: cargo test -p streams-tests --features docker"
            ),
            other => panic!(
                "TEST_KAFKA={other}: use embedded, jvm or docker, or set KAFKA_BOOTSTRAP_SERVERS"
            ),
        }
    }

    /// The clients for a broker that the test has started itself, and keeps to make faults in it.
    pub fn on(kafka: &EmbeddedKafka) -> TestCluster {
        TestCluster::new(kafka.bootstrap_servers().to_owned(), Broker::External)
    }

    fn embedded(settings: &[(&str, &str)]) -> TestCluster {
        let builder = EmbeddedKafka::builder()
            .setting("auto.create.topics.enable", "false")
            // Tests wait for what the log cleaner does.
            .setting("log.cleaner.backoff.ms", "200")
            .marker_delay(MARKER_DELAY);
        let kafka = settings
            .iter()
            .fold(builder, |builder, (name, value)| {
                builder.setting(*name, *value)
            })
            .start()
            .expect("the embedded broker starts");
        TestCluster::new(
            kafka.bootstrap_servers().to_owned(),
            Broker::Embedded(kafka),
        )
    }

    /// A cluster that runs already. It is neither stopped nor restarted.
    pub fn at(bootstrap_servers: String) -> TestCluster {
        TestCluster::new(bootstrap_servers, Broker::External)
    }

    /// Apache Kafka in a JVM, whatever the environment says.
    pub(crate) fn jvm(options: &Options<'_>) -> TestCluster {
        let kafka = ApacheKafka::start(options);
        TestCluster::new(kafka.bootstrap_servers(), Broker::Jvm(kafka))
    }

    fn new(bootstrap_servers: String, broker: Broker) -> TestCluster {
        let run = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        TestCluster {
            bootstrap_servers,
            broker: Mutex::new(broker),
            run: run << 20 | u64::from(std::process::id()) & 0xf_ffff,
            names: AtomicU64::new(0),
        }
    }

    /// Where clients reach it, as `host:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// A name that no other test has used on this cluster: `name` with a suffix.
    pub fn unique(&self, name: &str) -> String {
        format!(
            "{name}-{:x}-{}",
            self.run,
            self.names.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Whether it can be restarted, which one that was there before cannot.
    pub fn is_own(&self) -> bool {
        !matches!(*self.broker(), Broker::External)
    }

    /// Whether it is an Apache Kafka, as far as is known.
    pub fn is_apache(&self) -> bool {
        !matches!(*self.broker(), Broker::Embedded(_))
    }

    /// Lets this time pass for the broker: the embedded one's clock is moved, others need it.
    ///
    /// # Panics
    ///
    /// When the cluster is not its own.
    pub fn let_pass(&self, time: Duration) {
        match &*self.broker() {
            Broker::External => panic!("nobody knows what else a cluster that was there is for"),
            Broker::Embedded(kafka) => kafka.advance_clock(time),
            Broker::Jvm(_) => std::thread::sleep(time),
            #[cfg(feature = "docker")]
            Broker::Docker(_) => std::thread::sleep(time),
        }
    }

    /// Stops the broker in order and starts it again with its data, and returns when it answers. Of several nodes it is one,
    /// another one each time.
    ///
    /// # Panics
    ///
    /// When the cluster is not its own, or the broker doesn't come back.
    pub fn restart(&self) {
        match &mut *self.broker() {
            Broker::External => panic!("a cluster that was there before is not restarted"),
            Broker::Embedded(kafka) => kafka.restart(),
            Broker::Jvm(kafka) => kafka.restart("TERM"),
            #[cfg(feature = "docker")]
            Broker::Docker(kafka) => {
                kafka.stop();
                kafka.run();
            }
        }
    }

    /// Kills the broker and starts it again on what it had written, and returns when it answers. The embedded broker,
    /// which lives in this process, can only cut its connections.
    ///
    /// # Panics
    ///
    /// When the cluster is not its own, or the broker doesn't come back.
    pub fn kill_and_restart(&self) {
        match &mut *self.broker() {
            Broker::External => panic!("a cluster that was there before is not killed"),
            Broker::Embedded(kafka) => kafka.restart(),
            Broker::Jvm(kafka) => kafka.restart("KILL"),
            #[cfg(feature = "docker")]
            Broker::Docker(kafka) => {
                kafka.kill();
                kafka.run();
            }
        }
    }

    fn broker(&self) -> std::sync::MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broker::External => "external",
            Broker::Embedded(_) => "embedded",
            Broker::Jvm(_) => "jvm",
            #[cfg(feature = "docker")]
            Broker::Docker(_) => "docker",
        })
    }
}
