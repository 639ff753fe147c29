//! `run`: properties, brokers that are not there, and signals.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use streams_tests::{Isolation, Job, Oracle, TestCluster, wait_until};

use crate::fixture::{SOON, copy_job, nobody, recipe};

#[test]
fn a_run_waits_for_a_broker_that_comes_up_later() {
    let directory = tempfile::tempdir().unwrap();
    let address = nobody();
    let mut command = recipe(&["run", "--until-latest", "--bootstrap-servers", &address]);
    command
        .arg("--state-dir")
        .arg(directory.path().join("state"));
    let mut job = Job::start(&command, &directory.path().join("log"));
    wait_until("the job tells that it waits", SOON, || {
        let log = job.log();
        log.contains(&format!("no Kafka broker has answered at `{address}` yet"))
            && log.contains("trying again, for 60 s in all")
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker-process"));
    command.args([
        "--listen", &address, "--topic", "input:1", "--topic", "output:1",
    ]);
    let _broker = Job::start(&command, &directory.path().join("broker.log"));
    job.succeed(SOON);
    assert!(
        job.log()
            .contains(&format!("a Kafka broker answered at `{address}`")),
        "{}",
        job.log()
    );
}

#[test]
fn properties_reach_the_clients_flags_before_the_file() {
    let cluster = TestCluster::shared();
    let job = copy_job(cluster);
    cluster.produce_numbered(&job.input, 3, 30);
    let file = job.directory().join("client.properties");
    let run = |lines: &str, flags: &[&str]| {
        std::fs::write(&file, lines).unwrap();
        // The job's own command line, without its flag for the cluster.
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-job"));
        command.envs(
            job.command(0, &[])
                .get_envs()
                .map(|(name, value)| (name, value.unwrap())),
        );
        command
            .args(["run", "--until-latest", "--properties-file"])
            .arg(&file);
        command
            .arg("--state-dir")
            .arg(job.directory().join("state"));
        command.args(flags);
        Job::start(&command, &job.directory().join("log"))
    };
    let servers = format!("bootstrap.servers={}", cluster.bootstrap_servers());
    // The file alone says where the cluster is: no embedded Kafka is started.
    run(&format!("# where\n{servers}\n"), &[]).succeed(SOON);
    Oracle::exactly_once(&job.inputs(), &job.outputs());
    let nowhere = format!("bootstrap.servers={}\n", nobody());
    run(&nowhere, &["--property", &servers]).succeed(SOON);

    for (lines, words) in [
        (
            format!("{servers}\nisolation.level=read_uncommitted\n"),
            ["isolation.level", "guarantee"],
        ),
        (
            format!("{servers}\nno.such.property=1\n"),
            ["line 2", "no property `no.such.property`"],
        ),
        (
            format!("{servers}\nnonsense\n"),
            ["line 2", "expected `key=value`"],
        ),
    ] {
        let mut refused = run(&lines, &[]);
        assert_eq!(refused.wait(SOON).code(), Some(1), "{lines}");
        for word in words {
            assert!(refused.log().contains(word), "`{word}`:\n{}", refused.log());
        }
    }
}

#[test]
fn a_client_that_logs_a_lot_is_not_held_up_by_it() {
    let cluster = TestCluster::shared();
    let job = copy_job(cluster);
    cluster.produce_numbered(&job.input, 3, 30);
    let flags = ["--until-latest", "--property", "debug=all"];
    let log = job.directory().join("log");
    let mut command = job.command(0, &flags);
    Job::start(command.env("RUST_LOG", "debug"), &log).succeed(SOON);
    Oracle::exactly_once(&job.inputs(), &job.outputs());
}

#[test]
fn the_quick_start_runs_until_it_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    for signal in [Job::interrupt, Job::terminate] {
        let mut command = recipe(&["run", "--checkpoint-interval", "200ms", "--state-dir"]);
        command.arg(directory.path().join("state"));
        let log = directory.path().join("log");
        let _ = std::fs::remove_file(&log);
        let mut job = Job::start(&command, &log);
        wait_until("a checkpoint", SOON, || {
            job.log().contains("checkpoint 1 completed")
        });
        assert!(
            job.log().contains("embedded Kafka is listening on"),
            "{}",
            job.log()
        );
        signal(&mut job);
        job.succeed(SOON);
        assert!(job.log().contains("done: "), "{}", job.log_tail());
    }
}

/// The recipe, which has connected with something that takes connections and never answers.
fn waiting_for_its_cluster(directory: &Path) -> (Job, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = silent.local_addr().unwrap().to_string();
    let mut command = recipe(&["run", "--bootstrap-servers", &servers, "--state-dir"]);
    command.arg(directory.join("state"));
    let job = Job::start(&command, &directory.join("log"));
    silent.set_nonblocking(true).unwrap();
    wait_until("it asks for the cluster", SOON, || silent.accept().is_ok());
    (job, silent)
}

#[test]
fn a_second_ctrl_c_ends_a_job_that_waits_for_its_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let (mut job, _silent) = waiting_for_its_cluster(directory.path());
    job.interrupt();
    wait_until("it waits for its question", SOON, || {
        job.log().contains("done: 0 records in")
    });
    assert_eq!(job.status(), None, "{}", job.log_tail());
    job.interrupt();
    let status = job.wait(Duration::from_secs(3));
    assert_eq!(status.code(), Some(130), "{}", job.log_tail());
}

#[test]
fn a_job_that_waits_for_its_cluster_can_be_interrupted() {
    for signal in [Job::interrupt, Job::terminate] {
        let directory = tempfile::tempdir().unwrap();
        let (mut job, _silent) = waiting_for_its_cluster(directory.path());
        signal(&mut job);
        job.succeed(Duration::from_secs(10));
        assert!(
            job.log().contains("had not started") && job.log().contains("done: 0 records in"),
            "{}",
            job.log_tail()
        );
    }
}

#[test]
fn a_second_ctrl_c_ends_a_job_whose_cluster_stands_still() {
    let directory = tempfile::tempdir().unwrap();
    let broker_log = directory.path().join("broker.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker-process"));
    command.args(["--listen", "127.0.0.1:0"]);
    let mut broker = Job::start(&command, &broker_log);
    let mut address = None;
    wait_until("the broker tells its address", SOON, || {
        let log = broker.log();
        let mut words = log.split_whitespace().skip_while(|word| *word != "on");
        address = words.nth(1).map(str::to_owned);
        address.is_some()
    });
    let cluster = TestCluster::at(address.unwrap());
    let job = copy_job(&cluster);
    cluster.produce_numbered(&job.input, 3, 30);
    let mut process = job.start(0, &["--checkpoint-interval", "50s"]);
    wait_until("a transaction is open", SOON, || {
        let ends = cluster.end_offsets(&job.output, Isolation::Uncommitted);
        ends.iter().sum::<i64>() >= 30
    });
    broker.freeze();
    process.interrupt();
    wait_until("the first one is told", SOON, || {
        process.log().contains("taking a last checkpoint")
    });
    assert_eq!(process.status(), None, "it cannot commit");
    process.interrupt();
    let status = process.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(130), "{}", process.log_tail());
    assert!(
        process.log().contains("ended at once"),
        "{}",
        process.log_tail()
    );
    broker.kill();
}
