//! Programs with a command line, and what they print.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use streams_tests::{CopyJob, TestCluster};

/// How long a bounded run or an orderly end may take, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a program has printed, and its exit code.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

#[track_caller]
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn recipe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-exactly-once"));
    command.args(arguments);
    command
}

/// What the recipe prints for these arguments; it must end well.
#[track_caller]
pub(crate) fn told(arguments: &[&str]) -> String {
    let ended = ended(&mut recipe(arguments));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

pub(crate) fn copy_job(cluster: &TestCluster) -> CopyJob<'_> {
    CopyJob::new(cluster, Path::new(env!("CARGO_BIN_EXE_crash-job")), 3)
}

/// Runs a command of the copy job that must end with exit code 1 and one message that has all of `words`.
#[track_caller]
pub(crate) fn fails(command: &mut Command, words: &[&str]) {
    let ended = ended(command);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    for word in words {
        assert!(
            ended.stderr.contains(word),
            "`{word}` is not in the message:\n{}",
            ended.stderr
        );
    }
    assert_eq!(ended.stdout, "");
}

/// An address that nobody listens on any more.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
