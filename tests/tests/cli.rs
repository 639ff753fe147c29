//! The program around a topology, as who types its command line meets it: what it prints, and with which exit code it ends.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use streams_tests::{CopyJob, Isolation, Job, Oracle, TestCluster, wait_until};

/// How long a bounded run or an orderly end may take, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// What a program has printed, and its exit code.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

#[track_caller]
fn ended(command: &mut Command) -> Ended {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn recipe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-exactly-once"));
    command.args(arguments);
    command
}

/// What the recipe prints for these arguments; it must end well.
#[track_caller]
fn told(arguments: &[&str]) -> String {
    let ended = ended(&mut recipe(arguments));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn copy_job(cluster: &TestCluster) -> CopyJob<'_> {
    CopyJob::new(cluster, Path::new(env!("CARGO_BIN_EXE_crash-job")), 3)
}

/// Runs a command of the copy job that must end with exit code 1 and one message that has all of `words`.
#[track_caller]
fn fails(command: &mut Command, words: &[&str]) {
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

#[test]
fn describe_prints_the_topology() {
    let text = "\
Topology: kafka-exactly-once
  Sub-topology: 0
    Source: input-source (topic: input)
      --> output-sink
    Sink: output-sink (topic: output)
      <-- input-source
";
    assert_eq!(told(&["describe"]), text);
    assert_eq!(told(&["describe", "--format", "text"]), text);
}

#[test]
fn describe_draws_the_topology() {
    let mermaid = told(&["describe", "--format", "mermaid"]);
    let lines: Vec<&str> = mermaid.lines().map(str::trim).collect();
    assert_eq!(lines[0], "flowchart TD");
    for line in ["n0[(\"input\")]", "n1[(\"output\")]", "n0 --> n1"] {
        assert!(lines.contains(&line), "{mermaid}");
    }
    let dot = told(&["describe", "--format", "dot"]);
    assert!(dot.starts_with("digraph \"kafka-exactly-once\" {"), "{dot}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count(), "{dot}");
    for line in [
        "n0 [label=\"input\", ",
        "n1 [label=\"output\", ",
        "n0 -> n1;",
    ] {
        assert!(dot.contains(line), "{dot}");
    }
}

#[test]
fn describe_gives_the_topology_to_programs() {
    let json: serde_json::Value =
        serde_json::from_str(&told(&["describe", "--format", "json"])).unwrap();
    assert_eq!(json["application_id"], "kafka-exactly-once");
    let sub_topology = &json["sub_topologies"][0];
    assert_eq!(sub_topology["sources"], serde_json::json!(["input"]));
    assert_eq!(sub_topology["sinks"], serde_json::json!(["output"]));
    assert_eq!(sub_topology["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(sub_topology["nodes"][0]["children"][0], "output-sink");
}

#[test]
fn who_closes_the_pipe_gets_no_more_and_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = recipe(&["describe", "--format", "dot"]);
    let output = command.stdout(writer).stderr(Stdio::piped());
    let ended = output.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn help_lists_the_commands_and_a_flag_for_each_attribute() {
    let help = told(&["--help"]);
    for word in ["run", "describe", "check"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(word)),
            "{word}: {help}"
        );
    }
    let flags = [
        "application-id",
        "guarantee",
        "checkpoint-interval",
        "transactional-id-prefix",
        "transaction-timeout",
        "broker-transaction-max-timeout",
        "stream-threads",
        "offset-reset",
        "on-deserialize-error",
        "on-process-error",
        "on-produce-error",
        "bootstrap-servers",
        "property",
        "properties-file",
        "state-dir",
        "until-latest",
    ];
    for help in [help, told(&["run", "--help"])] {
        for flag in flags {
            assert!(
                help.contains(&format!("--{flag} ")) || help.contains(&format!("--{flag}\n")),
                "{flag}: {help}"
            );
        }
    }
}

#[test]
fn wrong_arguments_are_told_what_was_expected() {
    let cases: [(&[&str], &[&str]); 22] = [
        (&["--bootstrap-server", "a:1"], &["'--bootstrap-servers'"]),
        (
            &["run", "--checkpont-interval", "5s"],
            &["'--checkpoint-interval'"],
        ),
        (&["decribe"], &["'describe'"]),
        (
            &["run", "--bootstrap-servers", ""],
            &["--bootstrap-servers", "names no broker", "`HOST:PORT`"],
        ),
        (
            &["check", "--bootstrap-servers", " ,"],
            &["--bootstrap-servers", "names no broker"],
        ),
        (
            &["run", "--property", "bootstrap.servers="],
            &["bootstrap.servers", "names no broker"],
        ),
        (
            &["run", "--checkpoint-interval", "5"],
            &["`5` is not a duration", "`10s`"],
        ),
        (
            &["run", "--stream-threads", "many"],
            &["'many'", "--stream-threads"],
        ),
        (
            &["run", "--guarantee", "once"],
            &["once", "exactly_once", "at_least_once"],
        ),
        (
            &["run", "--on-process-error", "ignore"],
            &["ignore", "skip", "dead_letter"],
        ),
        (
            &["run", "--property", "linger.ms"],
            &["linger.ms", "key=value"],
        ),
        (
            &["run", "--stream-threads", "-1"],
            &["'-1'", "--stream-threads", "cannot be negative"],
        ),
        (
            &["run", "--stream-threads", "0"],
            &["`stream_threads` is 0", "Usage: kafka-exactly-once "],
        ),
        (
            &["run", "--transaction-timeout", "9999999999999h"],
            &["is too long", "`5124095576030h`"],
        ),
        (
            &["run", "--on-process-error", "dead_letter(input)"],
            &["dead-letter topic `input` is also a source"],
        ),
        (
            &["run", "--on-process-error", "dead_letter(output)"],
            &["dead-letter topic `output` is also a sink"],
        ),
        (
            &["run", "--property", "foo.bar=1"],
            &["no property `foo.bar`", "CONFIGURATION.md"],
        ),
        (
            &["run", "--property", "linger.ms=abc"],
            &["property `linger.ms`", "`abc`", "CONFIGURATION.md"],
        ),
        (
            &["run", "--property", "acks=1"],
            &["property `acks` is `1`", "has to be `all`", "leave it out"],
        ),
        (
            &["run", "--property", "enable.auto.commit=true"],
            &[
                "`enable.auto.commit` cannot be set",
                "set `checkpoint_interval`",
            ],
        ),
        (
            &["run", "--property", "processing.guarantee=exactly_once_v2"],
            &["a property of Kafka Streams", "set `guarantee`"],
        ),
        (
            &["check", "--property", "isolation.level=read_committed"],
            &["`isolation.level` cannot be set"],
        ),
    ];
    for (arguments, words) in cases {
        let ended = ended(&mut recipe(arguments));
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(
            !ended.stderr.contains("Kafka is listening"),
            "{arguments:?}"
        );
        for word in words {
            assert!(
                ended.stderr.contains(word),
                "{arguments:?}, `{word}`: {}",
                ended.stderr
            );
        }
    }
}

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

/// An address that nobody listens on any more.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
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

#[test]
fn a_job_that_waits_for_its_cluster_can_be_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    for signal in [Job::interrupt, Job::terminate] {
        // Takes connections and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let servers = silent.local_addr().unwrap().to_string();
        let mut command = recipe(&["run", "--bootstrap-servers", &servers, "--state-dir"]);
        command.arg(directory.path().join("state"));
        let log = directory.path().join("log");
        let _ = std::fs::remove_file(&log);
        let mut job = Job::start(&command, &log);
        silent.set_nonblocking(true).unwrap();
        wait_until("it asks for the cluster", SOON, || silent.accept().is_ok());
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
