//! Apache Kafka in a container of the official image: one KRaft node that is broker and controller.
//!
//! The container goes with the process that started it. Its port on this machine is chosen before it starts, so that
//! clients find it there again after a restart; its data is in the container and outlives a restart with it.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use testcontainers_modules::kafka::apache::{KAFKA_PORT, Kafka};
use testcontainers_modules::testcontainers::core::ExecCommand;
use testcontainers_modules::testcontainers::runners::SyncRunner;
use testcontainers_modules::testcontainers::{Container, ImageExt};

use crate::apache::{SETTINGS, VERSION, free_ports, replication};
use crate::eventually;

/// How long the container may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// How long an orderly stop may take.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// A container with a node of Apache Kafka.
pub(crate) struct Docker {
    container: Container<Kafka>,
    port: u16,
    _guard: Guard,
}

impl Docker {
    /// Starts a container and waits until it answers.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Docker {
        let port = free_ports(1).first().copied().expect("a port");
        let name = format!("streams-tests-{}-{port}", std::process::id());
        // Before the container: the process may be killed while it starts.
        let guard = Guard::of(&name);
        let mut request = Kafka::default()
            .with_jvm_image()
            .with_tag(VERSION)
            .with_container_name(name)
            .with_mapped_port(port, KAFKA_PORT)
            .with_startup_timeout(START_DEADLINE);
        for (name, value) in replication(1) {
            request = request.with_env_var(variable(name), value);
        }
        for (name, value) in SETTINGS.iter().chain(settings) {
            request = request.with_env_var(variable(name), *value);
        }
        let container = request.start().expect(
            "a container of apache/kafka starts (TEST_KAFKA=docker needs a Docker daemon and the image)",
        );
        let kafka = Docker {
            container,
            port,
            _guard: guard,
        };
        kafka.wait_until_it_answers();
        kafka
    }

    /// Where clients reach it.
    pub(crate) fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops it in order, as an operator would, and keeps its data.
    pub(crate) fn stop(&self) {
        // The container's first process is a shell, which would not hand the signal of `docker stop` on to Kafka.
        let terminate = ExecCommand::new(["sh", "-c", "kill -TERM $(pidof java)"]);
        self.container
            .exec(terminate)
            .expect("a command in the container");
        self.wait_until_it_has_ended();
    }

    /// Kills it on the spot and keeps its data.
    pub(crate) fn kill(&self) {
        docker(&["kill", self.container.id()]);
        self.wait_until_it_has_ended();
    }

    /// Starts it on its data and its port, and waits until it answers.
    pub(crate) fn run(&self) {
        // `Container::start` would write the start script once more while the container runs it.
        docker(&["start", self.container.id()]);
        self.wait_until_it_answers();
    }

    fn wait_until_it_has_ended(&self) {
        let ended = eventually(STOP_DEADLINE, || {
            !self.container.is_running().expect("the container's state")
        });
        assert!(ended, "Kafka's container did not end; {}", self.log_tail());
    }

    fn wait_until_it_answers(&self) {
        let answered = eventually(START_DEADLINE, || {
            crate::client::answers(&self.bootstrap_servers())
        });
        assert!(
            answered,
            "Kafka's container does not answer; {}",
            self.log_tail()
        );
    }

    fn log_tail(&self) -> String {
        let log = self.container.stdout_to_vec().unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(40)..);
        format!(
            "the end of its log:\n{}",
            tail.unwrap_or_default().join("\n")
        )
    }
}

/// The image's name for a broker setting: `auto.create.topics.enable` is `KAFKA_AUTO_CREATE_TOPICS_ENABLE`.
fn variable(setting: &str) -> String {
    format!("KAFKA_{}", setting.to_uppercase().replace('.', "_"))
}

fn docker(arguments: &[&str]) {
    let output = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("docker runs (TEST_KAFKA=docker needs Docker's command line)");
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A shell that removes the container when this process has ended, however that was: a cluster that tests share is
/// never dropped, and a killed process drops nothing. It waits at a pipe of ours, which ends with us.
struct Guard {
    shell: Child,
    /// Taken when it is closed.
    pipe: Option<ChildStdin>,
}

impl Guard {
    fn of(container: &str) -> Guard {
        let mut shell = Command::new("sh")
            .args([
                "-c",
                r#"read -r _; docker rm --force --volumes "$1""#,
                "guard",
                container,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let pipe = shell.stdin.take();
        Guard { shell, pipe }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}
