//! The Kafka that a test runs on.
//!
//! `KAFKA_BOOTSTRAP_SERVERS` names a cluster that runs already; else `TEST_KAFKA` says what to start: `embedded`
//! (the default; `streams-broker` in this process) or `jvm` (Apache Kafka).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use streams_broker::EmbeddedKafka;

use crate::jvm::ApacheKafka;

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
        if let Ok(bootstrap_servers) = std::env::var("KAFKA_BOOTSTRAP_SERVERS") {
            return TestCluster::new(bootstrap_servers, Broker::External);
        }
        let kind = std::env::var("TEST_KAFKA").unwrap_or_else(|_| "embedded".to_owned());
        match kind.as_str() {
            "embedded" => {
                let kafka = EmbeddedKafka::builder()
                    .setting("auto.create.topics.enable", "false")
                    .start();
                let kafka = kafka.expect("the embedded broker starts");
                TestCluster::new(
                    kafka.bootstrap_servers().to_owned(),
                    Broker::Embedded(kafka),
                )
            }
            "jvm" => {
                let kafka = ApacheKafka::start();
                TestCluster::new(kafka.bootstrap_servers(), Broker::Jvm(kafka))
            }
            other => {
                panic!("TEST_KAFKA={other}: use embedded or jvm, or set KAFKA_BOOTSTRAP_SERVERS")
            }
        }
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

    /// Stops the broker in order and starts it again with its data, and returns when it answers.
    ///
    /// # Panics
    ///
    /// When the cluster is not its own, or the broker doesn't come back.
    pub fn restart(&self) {
        match &mut *self.broker() {
            Broker::External => panic!("a cluster that was there before is not restarted"),
            Broker::Embedded(kafka) => kafka.restart(),
            Broker::Jvm(kafka) => {
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
            Broker::Jvm(kafka) => {
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
        })
    }
}
