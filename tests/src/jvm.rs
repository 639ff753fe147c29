//! Apache Kafka in a JVM of its own: one KRaft node that is broker and controller, from the jars of Maven Central.
//!
//! Its data is in a temporary directory and goes with the process that started it, as the JVM does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::apache::{SETTINGS, VERSION, free_ports};
use crate::eventually;
use crate::guarded::Guarded;

/// Which jars there are.
const JARS: &str = include_str!("../kafka/pom.xml");
/// How long a node may take until it answers: about 5 s when fresh, 16 s after a `kill -9`.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// How long an orderly stop may take.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// What a node is started with beyond what all of them have.
#[derive(Debug, Default)]
pub(crate) struct Options<'a> {
    /// Broker settings.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// A listener beside the plain one, as `PROTOCOL://HOST:PORT`.
    pub(crate) listener: Option<&'a str>,
    /// SCRAM credentials, as `SCRAM-SHA-512=[name=…,password=…]`.
    pub(crate) credentials: &'a [&'a str],
}

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
    pub(crate) fn start(options: &Options<'_>) -> ApacheKafka {
        let libs = libs();
        let directory = tempfile::Builder::new()
            .prefix("kafka-")
            .tempdir()
            .expect("a directory for Kafka's data");
        let [port, controller_port] = free_ports();
        fs::write(
            directory.path().join("server.properties"),
            properties(directory.path(), port, controller_port, options),
        )
        .expect("server.properties is written");
        let mut kafka = ApacheKafka {
            directory,
            libs,
            port,
            process: None,
        };
        kafka.format(options.credentials);
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

    fn format(&self, credentials: &[&str]) {
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
            .args(
                credentials
                    .iter()
                    .flat_map(|credential| ["--add-scram", credential]),
            )
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

fn properties(directory: &Path, port: u16, controller_port: u16, options: &Options<'_>) -> String {
    let listeners = [
        Some(format!("PLAINTEXT://127.0.0.1:{port}")),
        options.listener.map(str::to_owned),
    ];
    let listeners = listeners
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(",");
    let mut properties = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={directory}/data
",
        directory = directory.display()
    );
    for (name, value) in SETTINGS.iter().chain(options.settings) {
        properties.push_str(&format!("{name}={value}\n"));
    }
    properties
}

/// The directory with Kafka's jars: `TEST_KAFKA_LIBS`, else a cache in cargo's target directory, filled by Maven once.
pub(crate) fn libs() -> PathBuf {
    if let Some(libs) = std::env::var_os("TEST_KAFKA_LIBS") {
        return PathBuf::from(libs);
    }
    let cache = target_directory().join(format!("kafka-{VERSION}"));
    fs::create_dir_all(&cache).expect("a cache for Kafka's jars");
    let lock = File::create(cache.join("lock")).expect("a lock for Kafka's jars");
    lock.lock().expect("the lock of Kafka's jars");
    let libs = cache.join("libs");
    // The mark says for which list of jars they are complete.
    let complete = cache.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|list| list == JARS) {
        return libs;
    }
    copy_jars(&libs);
    fs::write(&complete, JARS).expect("a mark that the jars are complete");
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
