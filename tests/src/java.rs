//! Programs in Java, from `tests/java`, with Kafka's own clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::guarded::Guarded;
use crate::job::Job;
use crate::jvm;
use crate::missing::skip;

/// How long a program may take, with the start of its JVM.
const DEADLINE: Duration = Duration::from_secs(180);

/// What Kafka's Java clients run with: a JDK, which compiles the programs as it runs them, and Kafka's jars.
#[derive(Debug)]
pub struct Java {
    libs: PathBuf,
}

impl Java {
    /// `None` on a machine without a JDK, or without Maven and the jars: the test is [skipped](skip).
    pub fn find() -> Option<Java> {
        let missing = |program: &str, hint: &str| {
            let answer = Command::new(program)
                .arg("-version")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            let missing = !answer.is_ok_and(|status| status.success());
            if missing {
                skip(hint);
            }
            missing
        };
        if missing("java", "there is no `java`")
            || missing(
                "javac",
                "`java` is a JRE; a JDK (17 or later) has `javac` too",
            )
        {
            return None;
        }
        let has_jars = std::env::var_os("TEST_KAFKA_LIBS").is_some();
        if !has_jars && missing("mvn", "there is no `mvn`, nor TEST_KAFKA_LIBS") {
            return None;
        }
        Some(Java { libs: jvm::libs() })
    }

    /// Starts a program, which prints to `log`.
    pub fn start(&self, program: &str, arguments: &[&str], log: &Path) -> Job {
        Job::start(&self.command(program, arguments), log)
    }

    /// Runs a program and returns what it printed.
    ///
    /// # Panics
    ///
    /// If it fails, or doesn't end in three minutes.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let directory = tempfile::tempdir().expect("a directory for a program's output");
        let log = directory.path().join("log");
        let mut process = Guarded::spawn(&self.command(program, arguments), &log, None);
        let status = process.wait(DEADLINE);
        let printed = fs::read_to_string(&log).unwrap_or_default();
        assert!(
            status.is_some_and(|status| status.success()),
            "{program} {arguments:?}: {status:?}\n{printed}"
        );
        printed
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("java");
        let mut command = Command::new("java");
        command
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-cp")
            .arg(self.libs.join("*"))
            .arg(source.join(program).with_extension("java"))
            .args(arguments);
        command
    }
}
