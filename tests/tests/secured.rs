//! A job on a cluster that asks for TLS and SASL/SCRAM: whose properties reach every client of the job.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use streams_tests::{Job, Oracle, SecuredKafka};

/// How long a bounded run may take, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// How `check` ended, and what it printed.
fn check(directory: &Path, properties: &[(&str, String)]) -> (Option<i32>, String) {
    let mut job = start("check", directory, properties, &[], &[]);
    let code = job.wait(SOON).code();
    (code, job.log())
}

fn run(directory: &Path, properties: &[(&str, String)], flags: &[(&str, &str)]) -> Job {
    start("run", directory, properties, &["--until-latest"], flags)
}

/// The recipe's properties as flags, but for those that are in a file.
fn start(
    name: &str,
    directory: &Path,
    properties: &[(&str, String)],
    arguments: &[&str],
    flags: &[(&str, &str)],
) -> Job {
    let file = directory.join("client.properties");
    let lines = properties
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-exactly-once"));
    command
        .arg(name)
        .args(arguments)
        .arg("--properties-file")
        .arg(&file)
        .arg("--state-dir")
        .arg(directory.join("state"));
    for (name, value) in flags {
        command.args(["--property", &format!("{name}={value}")]);
    }
    let log = directory.join("log");
    // Each one has a log of its own.
    let _ = std::fs::remove_file(&log);
    Job::start(&command, &log)
}

#[test]
fn a_job_runs_over_tls_with_a_password_and_not_without() {
    let kafka = SecuredKafka::start();
    let cluster = kafka.cluster();
    for topic in ["input", "output"] {
        cluster.create_topic(topic, 4).unwrap();
    }
    cluster.produce_numbered("input", 4, 1_000);
    let directory = tempfile::tempdir().unwrap();
    let properties = kafka.properties();

    // A flag wins over the file: here a wrong password over the right one.
    let mut refused = run(
        directory.path(),
        &properties,
        &[("sasl.password", "another")],
    );
    assert_eq!(refused.wait(SOON).code(), Some(1));
    let log = refused.log();
    assert!(
        log.to_lowercase().contains("authentication failed"),
        "{log}"
    );
    assert!(
        !log.contains("another"),
        "the password is in the log:\n{log}"
    );
    assert_eq!(cluster.read_committed("output"), []);

    run(directory.path(), &properties, &[]).succeed(SOON);
    Oracle::exactly_once(
        &cluster.read_committed("input"),
        &cluster.read_committed("output"),
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let kafka = SecuredKafka::start();
    let directory = tempfile::tempdir().unwrap();
    let mut properties = kafka.properties();
    properties.retain(|(name, _)| *name != "ssl.ca.location");

    let mut refused = run(directory.path(), &properties, &[]);

    assert_eq!(refused.wait(SOON).code(), Some(1));
    let log = refused.log();
    assert!(log.contains("certificate"), "{log}");
}

#[test]
fn check_names_what_acls_forbid_until_the_job_can_run() {
    let kafka = SecuredKafka::start_with_acls();
    let cluster = kafka.cluster();
    for topic in ["input", "output"] {
        cluster.create_topic(topic, 4).unwrap();
    }
    cluster.produce_numbered("input", 4, 100);
    let directory = tempfile::tempdir().unwrap();
    let properties = kafka.properties();
    let group = ["--group", "kafka-exactly-once"];
    let topics = ["--topic", "input", "--topic", "output"];
    kafka.allow("Describe", &[&topics[..], &group[..]].concat());
    kafka.allow("Write", &["--transactional-id", "*"]);

    // Each remedy in its turn, as the message has it.
    let mut forbidden = vec![
        ("Read", ["--topic", "input"]),
        ("Write", ["--topic", "output"]),
        ("Read", group),
    ];
    while !forbidden.is_empty() {
        let (code, told) = check(directory.path(), &properties);
        assert_eq!(code, Some(1), "{told}");
        for (operation, [kind, name]) in &forbidden {
            let remedy = format!("--operation {operation} {kind} {name}");
            assert!(told.contains(&remedy), "{remedy}: {told}");
        }
        let lines = told.matches("is not allowed").count();
        assert_eq!(lines, forbidden.len(), "{told}");
        let (operation, resource) = forbidden.remove(0);
        kafka.allow(operation, &resource);
    }
    let (code, told) = check(directory.path(), &properties);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("the job can run"), "{told}");
    run(directory.path(), &properties, &[]).succeed(SOON);
    assert_eq!(cluster.read_committed("output").len(), 100);
}
