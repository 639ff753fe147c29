//! A job as a child process: started, signalled and waited for as an operator would.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::guarded::Guarded;

/// A running job. It is killed when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Job {
    process: Guarded,
    log: PathBuf,
}

impl Job {
    /// Starts `command`, of which the program, the arguments and the environment count. What it prints is added to `log`.
    pub fn start(command: &Command, log: &Path) -> Job {
        Job {
            process: Guarded::spawn(command, log, None),
            log: log.to_path_buf(),
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.signal("KILL");
        self.process.wait(Duration::from_secs(10));
    }

    /// SIGTERM: asks it to end in order.
    pub fn terminate(&mut self) {
        self.process.signal("TERM");
    }

    /// SIGINT, as a Ctrl-C would send.
    pub fn interrupt(&mut self) {
        self.process.signal("INT");
    }

    /// SIGSTOP: it stands still and doesn't know it.
    pub fn freeze(&mut self) {
        self.process.signal("STOP");
    }

    /// SIGCONT: it goes on where it stood.
    pub fn thaw(&mut self) {
        self.process.signal("CONT");
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.process.status()
    }

    /// Waits until it ends.
    ///
    /// # Panics
    ///
    /// When it doesn't end within `deadline`; the message has the end of its log.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        match self.process.wait(deadline) {
            Some(status) => status,
            None => panic!(
                "the job did not end within {deadline:?}; the end of its log:\n{}",
                self.log_tail()
            ),
        }
    }

    /// Waits until it ends, which must be well.
    ///
    /// # Panics
    ///
    /// When it doesn't end within `deadline`, or with another exit code than 0; the message has the end of its log.
    #[track_caller]
    pub fn succeed(&mut self, deadline: Duration) {
        let status = self.wait(deadline);
        assert!(
            status.success(),
            "the job ended with {status}; the end of its log:\n{}",
            self.log_tail()
        );
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Whether it got no further than its start.
    pub fn is_starting(&self) -> bool {
        let log = self.log();
        let last_run = log.rsplit("job is starting").next();
        last_run.is_some_and(|run| !run.contains("job is running"))
    }

    /// The end of what it has printed.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .iter()
            .skip(lines.len().saturating_sub(40))
            .copied()
            .collect::<Vec<_>>()
            .join("\n")
    }
}
