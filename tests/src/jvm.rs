//! Apache Kafka in JVMs of its own: KRaft nodes that are broker and controller, from the jars of Maven Central.
//!
//! A node's data is in a temporary directory and goes with the process that started it, as the JVM does.

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::apache::{SETTINGS, VERSION, free_ports, replication};
use crate::eventually;
use crate::guarded::Guarded;

/// Which jars there are.
const JARS: &str = include_str!("../kafka/pom.xml");
/// How long a node may take until it answers: about 5 s when fresh, 16 s after a `kill -9`.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// How long an orderly stop may take.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// What a node is started with beyond what all of them have.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// How many nodes there are; each holds all that there is.
    pub(crate) nodes: NonZeroUsize,
    /// Broker settings.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// A listener beside the plain one, as `PROTOCOL://HOST:PORT`.
    pub(crate) listener: Option<&'a str>,
    /// SCRAM credentials, as `SCRAM-SHA-512=[name=…,password=…]`.
    pub(crate) credentials: &'a [&'a str],
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            nodes: NonZeroUsize::MIN,
            settings: &[],
            listener: None,
            credentials: &[],
        }
    }
}

/// Apache Kafka: one node, or several that replicate what they hold.
#[derive(Debug)]
pub(crate) struct ApacheKafka {
    nodes: Vec<Node>,
    /// Which node is restarted next.
    next: usize,
}

impl ApacheKafka {
    /// Starts nodes on free ports and waits until each answers.
    pub(crate) fn start(options: &Options<'_>) -> ApacheKafka {
        let libs = libs();
        let ports = free_ports(2 * options.nodes.get());
        let mut nodes: Vec<Node> = (1..)
            .zip(ports.chunks(2))
            .map(|(id, ports)| Node::new(libs.clone(), id, ports))
            .collect();
        let voters: Vec<String> = nodes.iter().map(Node::voter).collect();
        for node in &mut nodes {
            node.format(&properties(node, &voters, options), options.credentials);
            node.spawn();
        }
        for node in &mut nodes {
            node.wait_until_it_answers();
        }
        ApacheKafka { nodes, next: 0 }
    }

    /// Where clients reach it.
    pub(crate) fn bootstrap_servers(&self) -> String {
        let servers: Vec<String> = self.nodes.iter().map(Node::address).collect();
        servers.join(",")
    }

    /// Ends a node by that signal, `TERM` or `KILL`, and starts it on its data and its port; another one each time. Returns
    /// when it answers, and when it is again where each replica should be: the next one can be restarted then.
    pub(crate) fn restart(&mut self, signal: &str) {
        let count = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(self.next % count) {
            node.end(signal);
            node.spawn();
            node.wait_until_it_answers();
        }
        self.next += 1;
        let servers = self.bootstrap_servers();
        let in_sync = || crate::client::all_replicas_are_in_sync(&servers);
        crate::wait_until("all replicas are in sync", START_DEADLINE, in_sync);
    }
}

/// One node of Apache Kafka.
#[derive(Debug)]
struct Node {
    id: usize,
    /// Dropped before the directory that it writes to.
    process: Option<Guarded>,
    directory: TempDir,
    libs: PathBuf,
    port: u16,
    controller_port: u16,
}

impl Node {
    /// With a port for clients and one for the other nodes.
    fn new(libs: PathBuf, id: usize, ports: &[u16]) -> Node {
        let &[port, controller_port] = ports else {
            panic!("a node has two ports");
        };
        let directory = tempfile::Builder::new()
            .prefix("kafka-")
            .tempdir()
            .expect("a directory for Kafka's data");
        Node {
            id,
            process: None,
            directory,
            libs,
            port,
            controller_port,
        }
    }

    /// As `controller.quorum.voters` names it.
    fn voter(&self) -> String {
        format!("{}@127.0.0.1:{}", self.id, self.controller_port)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn settings(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn spawn(&mut self) {
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
            .arg(self.settings());
        let process = Guarded::spawn(&command, &self.log(), Some(self.directory.path()));
        self.process = Some(process);
    }

    fn wait_until_it_answers(&mut self) {
        let address = self.address();
        let mut ended = None;
        let answered = eventually(START_DEADLINE, || {
            ended = self.process.as_mut().and_then(Guarded::status);
            ended.is_some() || crate::client::answers(&address)
        });
        assert!(
            answered && ended.is_none(),
            "Apache Kafka did not start ({ended:?}); the end of its log:\n{}",
            self.log_tail()
        );
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            process.signal(signal);
            let ended = process.wait(STOP_DEADLINE);
            assert!(
                ended.is_some(),
                "Apache Kafka outlived SIG{signal}; the end of its log:\n{}",
                self.log_tail()
            );
        }
    }

    fn format(&self, properties: &str, credentials: &[&str]) {
        fs::write(self.settings(), properties).expect("server.properties is written");
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
            .arg(self.settings())
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

fn properties(node: &Node, voters: &[String], options: &Options<'_>) -> String {
    let Node {
        id,
        controller_port,
        ..
    } = node;
    let listeners = [
        Some(format!("PLAINTEXT://{}", node.address())),
        options.listener.map(str::to_owned),
    ];
    let listeners = listeners
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(",");
    let mut properties = format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={directory}/data
",
        voters = voters.join(","),
        directory = node.directory.path().display()
    );
    let replication = replication(voters.len());
    let replication = replication
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let settings = SETTINGS.iter().copied().chain(replication);
    for (name, value) in settings.chain(options.settings.iter().copied()) {
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
