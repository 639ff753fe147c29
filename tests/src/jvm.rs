//! Apache Kafka in a JVM of its own: one KRaft node that is broker and controller, from the jars of Maven Central.
//!
//! Its data is in a temporary directory and goes with the process that started it, as the JVM does.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::guarded::Guarded;
use crate::{Random, eventually};

/// The version whose jars are in `kafka/pom.xml`.
const VERSION: &str = "4.3.1";
/// How long a node may take until it answers: about 5 s when fresh, 16 s after a `kill -9`.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// How long an orderly stop may take.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// Ports are taken from below the range that the kernel hands to outgoing connections, so that a node finds
/// its port free again when it comes back.
const PORTS: (u64, u64) = (20_000, 32_000);

/// One node of Apache Kafka.
#[derive(Debug)]
pub(crate) struct ApacheKafka {
    /// Dropped before the directory that it writes to.
    process: Option<Guarded>,
    directory: TempDir,
    libs: PathBuf,
    port: u16,
}

impl ApacheKafka {
    /// Starts a node on a free port and waits until it answers.
    pub(crate) fn start() -> ApacheKafka {
        let libs = libs();
        let directory = tempfile::Builder::new()
            .prefix("kafka-")
            .tempdir()
            .expect("a directory for Kafka's data");
        let [port, controller_port] = free_ports();
        fs::write(
            directory.path().join("server.properties"),
            properties(directory.path(), port, controller_port),
        )
        .expect("server.properties is written");
        let mut kafka = ApacheKafka {
            directory,
            libs,
            port,
            process: None,
        };
        kafka.format();
        kafka.run();
        kafka
    }

    /// Where clients reach it.
    pub(crate) fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops it in order, as an operator would, and keeps its data.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
    }

    /// Kills it on the spot and keeps its data.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
    }

    /// Starts it on its data and its port, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new("java");
        command
            .args([
                "-Xms256m",
                "-Xmx1g",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
            ])
            .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
            .args(["-cp", &self.class_path(), "kafka.Kafka"])
            .arg(self.directory.path().join("server.properties"));
        let mut process = Guarded::spawn(&command, &self.log(), Some(self.directory.path()));
        let answered = eventually(START_DEADLINE, || {
            process.status().is_some() || crate::client::answers(&self.bootstrap_servers())
        });
        let ended = process.status();
        assert!(
            answered && ended.is_none(),
            "Apache Kafka did not start ({ended:?}); the end of its log:\n{}",
            self.log_tail()
        );
        self.process = Some(process);
    }

    fn signal(&mut self, name: &str) {
        if let Some(mut process) = self.process.take() {
            process.signal(name);
            let ended = process.wait(STOP_DEADLINE);
            assert!(
                ended.is_some(),
                "Apache Kafka outlived SIG{name}; the end of its log:\n{}",
                self.log_tail()
            );
        }
    }

    fn format(&self) {
        let output = Command::new("java")
            .args([
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &self.class_path(),
                "kafka.tools.StorageTool",
            ])
            .args([
                "format",
                "--cluster-id",
                "c3RyZWFtcy10ZXN0cy0wMA",
                "--config",
            ])
            .arg(self.directory.path().join("server.properties"))
            .stdin(Stdio::null())
            .output()
            .expect("java runs (TEST_KAFKA=jvm needs Java 17 or later)");
        assert!(
            output.status.success(),
            "Kafka's storage: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn class_path(&self) -> String {
        format!("{}/*", self.libs.display())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .iter()
            .skip(lines.len().saturating_sub(40))
            .copied()
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn properties(directory: &Path, port: u16, controller_port: u16) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
",
        directory = directory.display()
    )
}

fn free_ports() -> [u16; 2] {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let mut random = Random::new(
        u64::try_from(now & u128::from(u64::MAX)).unwrap_or(0) ^ u64::from(std::process::id()),
    );
    // Both are held until both are found, so that they differ.
    let listeners = [(); 2].map(|()| {
        (0..1_000)
            .find_map(|_| {
                let port = u16::try_from(random.between(PORTS.0, PORTS.1)).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
            })
            .expect("a free port")
    });
    listeners.map(|listener| listener.local_addr().expect("a bound port").port())
}

/// The directory with Kafka's jars: `TEST_KAFKA_LIBS`, else a cache in cargo's target directory, filled by Maven once.
fn libs() -> PathBuf {
    if let Some(libs) = std::env::var_os("TEST_KAFKA_LIBS") {
        return PathBuf::from(libs);
    }
    let cache = target_directory().join(format!("kafka-{VERSION}"));
    fs::create_dir_all(&cache).expect("a cache for Kafka's jars");
    let lock = File::create(cache.join("lock")).expect("a lock for Kafka's jars");
    lock.lock().expect("the lock of Kafka's jars");
    let libs = cache.join("libs");
    let complete = cache.join("complete");
    if !complete.exists() {
        copy_jars(&libs);
        File::create(&complete).expect("a mark that the jars are complete");
    }
    libs
}

fn copy_jars(libs: &Path) {
    let output = Command::new("mvn")
        .args(["-B", "-q", "-f"])
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("kafka")
                .join("pom.xml"),
        )
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .stdin(Stdio::null())
        .output()
        .expect("mvn runs (TEST_KAFKA=jvm needs Maven, or TEST_KAFKA_LIBS)");
    assert!(
        output.status.success(),
        "Maven did not bring Kafka's jars:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Cargo's target directory: the one around this executable, which cargo marks.
fn target_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("the path of this executable");
    executable
        .ancestors()
        .skip(1)
        .filter(|directory| directory.join("CACHEDIR.TAG").exists())
        .last()
        .map_or_else(std::env::temp_dir, Path::to_path_buf)
}
