//! Apache Kafka with a listener that asks for TLS and SASL/SCRAM-SHA-512, beside the plain one that the test's own
//! clients use.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::TestCluster;
use crate::apache::free_ports;
use crate::jvm::{Options, libs};

const USER: &str = "streams";
const PASSWORD: &str = "a password with = and #";
/// Of the key store; it guards nothing.
const STORE_PASSWORD: &str = "changeit";

/// A node of Apache Kafka with a secured listener.
#[derive(Debug)]
pub struct SecuredKafka {
    cluster: TestCluster,
    port: u16,
    directory: TempDir,
}

impl SecuredKafka {
    /// Starts a node whose certificate is new, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When Java is not there or the node doesn't start.
    pub fn start() -> SecuredKafka {
        SecuredKafka::start_with(&[])
    }

    /// Like [`start`](SecuredKafka::start), with an authorizer: who comes by the secured listener may do what it is
    /// [allowed](SecuredKafka::allow), who comes by the plain one may do everything.
    ///
    /// # Panics
    ///
    /// When Java is not there or the node doesn't start.
    pub fn start_with_acls() -> SecuredKafka {
        SecuredKafka::start_with(&[
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("super.users", "User:ANONYMOUS"),
        ])
    }

    fn start_with(settings: &[(&str, &str)]) -> SecuredKafka {
        let directory = tempfile::Builder::new()
            .prefix("kafka-keys-")
            .tempdir()
            .expect("a directory for keys");
        let store = directory.path().join("broker.p12");
        make_certificate(&store, &certificate(directory.path()));
        let port = free_ports(1).first().copied().expect("a port");
        let store = store.display().to_string();
        let secured = [
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            (
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.location", &store),
            ("ssl.keystore.password", STORE_PASSWORD),
        ];
        let cluster = TestCluster::jvm(&Options {
            settings: &[&secured, settings].concat(),
            listener: Some(&format!("SASL_SSL://localhost:{port}")),
            credentials: &[&format!(
                "SCRAM-SHA-512=[name={USER},password=\"{PASSWORD}\"]"
            )],
            ..Options::default()
        });
        SecuredKafka {
            cluster,
            port,
            directory,
        }
    }

    /// The same node by its plain listener.
    pub fn cluster(&self) -> &TestCluster {
        &self.cluster
    }

    /// Allows who comes by the secured listener an operation on `resources`, such as `["--topic", "input"]`, as
    /// `kafka-acls` takes them.
    ///
    /// # Panics
    ///
    /// When it cannot be allowed.
    pub fn allow(&self, operation: &str, resources: &[&str]) {
        let output = Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "-cp"])
            .arg(libs().join("*"))
            .arg("org.apache.kafka.tools.AclCommand")
            .args(["--bootstrap-server", self.cluster.bootstrap_servers()])
            .args(["--add", "--allow-principal", &format!("User:{USER}")])
            .args(["--operation", operation])
            .args(resources)
            .stdin(Stdio::null())
            .output()
            .expect("java runs");
        assert!(
            output.status.success(),
            "kafka-acls {operation} {resources:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The properties that a client needs for the secured listener, as librdkafka names them.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let certificate = certificate(self.directory.path()).display().to_string();
        vec![
            ("bootstrap.servers", format!("localhost:{}", self.port)),
            ("security.protocol", "SASL_SSL".to_owned()),
            ("ssl.ca.location", certificate),
            ("sasl.mechanism", "SCRAM-SHA-512".to_owned()),
            ("sasl.username", USER.to_owned()),
            ("sasl.password", PASSWORD.to_owned()),
        ]
    }
}

fn certificate(directory: &Path) -> PathBuf {
    directory.join("ca.pem")
}

/// Makes a key with a certificate for this machine, which it signs itself.
fn make_certificate(store: &Path, certificate: &Path) {
    let make = [
        "-genkeypair",
        "-keyalg",
        "RSA",
        "-dname",
        "CN=localhost",
        "-ext",
        "san=dns:localhost",
    ];
    keytool(store, &make);
    let certificate = certificate.display().to_string();
    keytool(store, &["-exportcert", "-rfc", "-file", &certificate]);
}

fn keytool(store: &Path, arguments: &[&str]) {
    let output = Command::new("keytool")
        .args(arguments)
        .args(["-alias", "broker", "-storetype", "PKCS12"])
        .args(["-storepass", STORE_PASSWORD, "-keystore"])
        .arg(store)
        .stdin(Stdio::null())
        .output()
        .expect("keytool runs (it comes with Java)");
    assert!(
        output.status.success(),
        "keytool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
