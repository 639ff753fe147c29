//! `check`: what the cluster has for the job, and what it lacks.

use std::process::Command;
use std::time::{Duration, Instant};

use streams_tests::TestCluster;

use crate::fixture::{copy_job, ended, fails, nobody, recipe};

#[test]
fn check_says_what_the_cluster_has_for_the_job() {
    let cluster = TestCluster::start_with(&[("transaction.max.timeout.ms", "70000")]);
    if !cluster.is_own() {
        return;
    }
    let job = copy_job(&cluster);
    let ended = ended(&mut job.command_of("check", 0));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let expected = format!(
        "the job can run on this cluster of 1 broker
  source topics: {} (3 partitions)
  output topics: {} (4 partitions)
  tasks: 3
  longest transaction: 70 s
",
        job.input, job.output
    );
    assert_eq!(ended.stdout, expected);
    // What the job asks for is compared with what the brokers allow.
    let mut longer = job.command_of("check", 0);
    fails(
        longer.args(["--transaction-timeout", "71s"]),
        &[
            "`transaction_timeout` is 71000 ms",
            "at most 70000 ms",
            "transaction.max.timeout.ms",
        ],
    );
}

#[test]
fn check_tells_the_topics_that_the_job_makes_for_itself() {
    let cluster = TestCluster::shared();
    let mut job = copy_job(cluster);
    job.input = cluster.topic("lines", 2);
    let dead = cluster.topic("dead", 1);
    let count = |name: &str| {
        let mut command = job.command_of(name, 0);
        command.args(["--on-deserialize-error", &format!("dead_letter({dead})")]);
        // The same command line and environment, of the job that counts words.
        let mut counting = Command::new(env!("CARGO_BIN_EXE_count-job"));
        counting.args(command.get_args());
        counting.envs(
            command
                .get_envs()
                .map(|(name, value)| (name, value.unwrap())),
        );
        counting
    };
    let internal = |state: &str| {
        let id = &job.application_id;
        format!(
            "
  dead-letter topics: {dead} (1 partition)
  internal topics:
    {id}-counts-repartition (2 partitions) {state}
    {id}-counts-changelog (2 partitions) {state}
  tasks: 4
"
        )
    };
    let told = ended(&mut count("check"));
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let expected = internal("will be created");
    assert!(told.stdout.contains(&expected), "{}", told.stdout);
    // It has created none of them.
    assert_eq!(ended(&mut count("check")).stdout, told.stdout);

    let run = ended(count("run").arg("--until-latest"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let told = ended(&mut count("check"));
    let expected = internal("is there");
    assert!(
        told.stdout.contains(&expected),
        "{}{}",
        told.stdout,
        told.stderr
    );
}

#[test]
fn check_tells_an_internal_topic_of_the_wrong_size() {
    let cluster = TestCluster::shared();
    let job = copy_job(cluster);
    let changelog = format!("{}-counts-changelog", job.application_id);
    cluster.create_topic(&changelog, 5).unwrap();
    let command = job.command_of("check", 0);
    let mut counting = Command::new(env!("CARGO_BIN_EXE_count-job"));
    counting.args(command.get_args());
    counting.envs(
        command
            .get_envs()
            .map(|(name, value)| (name, value.unwrap())),
    );
    fails(
        &mut counting,
        &[&changelog, "has 5 partitions where 3 are needed"],
    );
}

#[test]
fn check_names_every_topic_that_is_missing() {
    let cluster = TestCluster::shared();
    let mut job = copy_job(cluster);
    job.output = cluster.unique("no-output");
    let output = format!("output topic `{}` does not exist", job.output);
    fails(&mut job.command_of("check", 0), &[&output]);
    job.input = cluster.unique("no-input");
    let input = format!("source topic `{}` does not exist", job.input);
    fails(&mut job.command_of("check", 0), &[&output, &input]);
}

#[test]
fn check_of_a_cluster_that_is_not_there_ends_within_its_deadline() {
    fails(&mut recipe(&["check"]), &["--bootstrap-servers HOST:PORT"]);
    let address = nobody();
    let start = Instant::now();
    fails(
        &mut recipe(&["check", "--bootstrap-servers", &address]),
        &[&address, "within 15 s"],
    );
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}
