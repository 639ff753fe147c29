//! The recipe as a process on a cluster: bounded runs, records that cannot be read, ends in order, state directories.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use streams_tests::{CopyJob, Isolation, Job, Oracle, ReadRecord, Sender, TestCluster, wait_until};

/// How long a bounded run or an orderly end may take, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);
/// A checkpoint that no test waits for.
const NEVER: [&str; 2] = ["--checkpoint-interval", "50s"];

fn cluster() -> &'static TestCluster {
    TestCluster::shared()
}

fn copy_job(partitions: i32) -> CopyJob<'static> {
    CopyJob::new(
        cluster(),
        Path::new(env!("CARGO_BIN_EXE_crash-job")),
        partitions,
    )
}

/// Runs the job until it has done what is in its input.
#[track_caller]
fn run_until_latest(job: &CopyJob<'_>, arguments: &[&str]) -> String {
    let mut process = job.start(0, &[&["--until-latest"], arguments].concat());
    process.succeed(SOON);
    process.log()
}

#[track_caller]
fn output_of(mut command: Command) -> (Output, String) {
    let output = command.output().unwrap();
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output, String::from_utf8(text).unwrap())
}

fn sorted_texts(records: &[ReadRecord]) -> Vec<&str> {
    let mut texts: Vec<_> = records.iter().map(ReadRecord::text).collect();
    texts.sort_unstable();
    texts
}

/// Waits until the job has read everything there is, committed or not.
fn wait_for_outputs(job: &CopyJob<'_>, count: i64) {
    wait_until("the outputs are written", SOON, || {
        cluster()
            .end_offsets(&job.output, Isolation::Uncommitted)
            .iter()
            .sum::<i64>()
            >= count
    });
}

#[test]
fn fifty_strings_in_fifty_strings_out() {
    // The example's topics have fixed names: a cluster of its own.
    let cluster = TestCluster::start();
    for topic in ["input", "output"] {
        let created = cluster.create_topic(topic, 4);
        assert!(created.is_ok() || !cluster.is_own(), "{topic}: {created:?}");
    }
    let mut strings: Vec<String> = (0..50).map(|_| cluster.unique("string")).collect();
    let sender = Sender::new(&cluster, &[]);
    for (string, partition) in strings.iter().zip((0..4).cycle()) {
        sender.text("input", partition, string);
    }
    sender.flush();
    strings.sort();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-exactly-once"));
    command
        .args([
            "run",
            "--until-latest",
            "--bootstrap-servers",
            cluster.bootstrap_servers(),
        ])
        .args(["--application-id", &cluster.unique("recipe"), "--state-dir"])
        .arg(directory.path().join("state"));
    Job::start(&command, &directory.path().join("log")).succeed(SOON);
    let mut outputs = cluster.read_committed("output");
    outputs.retain(|record| strings.iter().any(|string| string == record.text()));
    assert_eq!(sorted_texts(&outputs), strings);
}

#[test]
fn a_bounded_run_ends_behind_aborted_transactions_markers_and_empty_partitions() {
    let job = copy_job(5);
    let sender = Sender::transactional(cluster(), &job.input, &[]);
    // Partition 0 ends with a commit, 1 with an abort, 2 has aborted records only, 3 has nothing, 4 no transaction.
    let transactions: [(&[i32], bool); 4] =
        [(&[0, 1], true), (&[2], false), (&[1], false), (&[0], true)];
    for (round, (partitions, committed)) in transactions.into_iter().enumerate() {
        sender.begin();
        for (partition, number) in partitions
            .iter()
            .flat_map(|partition| (0..10).map(move |number| (partition, number)))
        {
            sender.text(
                &job.input,
                *partition,
                &format!("{partition}:{round}:{number}"),
            );
        }
        if committed {
            sender.commit()
        } else {
            sender.abort()
        }
    }
    let plain = Sender::new(cluster(), &[]);
    plain.text(&job.input, 4, "plain");
    plain.flush();
    run_until_latest(&job, &[]);
    let (inputs, outputs) = (job.inputs(), job.outputs());
    assert_eq!(inputs.len(), 31);
    Oracle::exactly_once(&inputs, &outputs);
    // Nothing is left: a second run ends at once and copies nothing again.
    run_until_latest(&job, &[]);
    assert_eq!(job.outputs(), outputs);
}

#[test]
fn a_bounded_run_of_an_empty_topic_ends() {
    let job = copy_job(3);
    run_until_latest(&job, &[]);
    assert_eq!(job.outputs(), []);
}

#[test]
fn an_output_keeps_its_inputs_timestamp_and_headers() {
    let job = copy_job(1);
    let sender = Sender::new(cluster(), &[]);
    let header = |key, value| Header { key, value };
    let headers = OwnedHeaders::new()
        .insert(header("h", Some("1")))
        .insert(header("h", None))
        .insert(header("i", Some("")));
    sender.send(
        BaseRecord::<str, str>::to(&job.input)
            .partition(0)
            .payload("old")
            .timestamp(1_234)
            .headers(headers),
    );
    sender.flush();
    run_until_latest(&job, &[]);
    let (inputs, outputs) = (job.inputs(), job.outputs());
    assert_eq!((outputs[0].timestamp, &outputs[0].key), (1_234, &None));
    assert_eq!(outputs[0].headers, inputs[0].headers);
    assert_eq!(outputs[0].headers.len(), 3);
}

#[test]
fn more_threads_and_the_other_guarantee_copy_as_well() {
    let job = copy_job(4);
    cluster().produce_numbered(&job.input, 4, 2_000);
    run_until_latest(
        &job,
        &["--guarantee", "at_least_once", "--stream-threads", "2"],
    );
    Oracle::exactly_once(&job.inputs(), &job.outputs());
}

#[test]
fn inputs_are_read_however_they_are_compressed() {
    let job = copy_job(1);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        let sender = Sender::new(
            cluster(),
            &[("compression.type", codec), ("linger.ms", "50")],
        );
        for number in 0..50 {
            sender.text(&job.input, 0, &format!("{codec} {number}"));
        }
        sender.flush();
    }
    run_until_latest(&job, &[]);
    let outputs = job.outputs();
    assert_eq!(outputs.len(), codecs.len() * 50);
    Oracle::exactly_once(&job.inputs(), &outputs);
}

/// Ten strings, with a value that is no text at offset 3 and a null at offset 7.
fn with_bad_records(job: &CopyJob<'_>) {
    let sender = Sender::new(cluster(), &[]);
    for number in 0..10 {
        let record = BaseRecord::<str, [u8]>::to(&job.input).partition(0);
        match number {
            3 => sender.send(record.payload(&[0xff, 0xfe])),
            7 => sender.send(record),
            _ => sender.text(&job.input, 0, &format!("good {number}")),
        }
    }
    sender.flush();
}

const GOOD: [&str; 8] = [
    "good 0", "good 1", "good 2", "good 4", "good 5", "good 6", "good 8", "good 9",
];

#[test]
fn a_record_that_cannot_be_read_fails_the_job_and_says_which() {
    let job = copy_job(1);
    with_bad_records(&job);
    let mut process = job.start(0, &["--until-latest"]);
    let status = process.wait(SOON);
    assert_eq!(status.code(), Some(1), "{}", process.log_tail());
    let log = process.log();
    for word in [format!("{}-0", job.input).as_str(), "offset 3"] {
        assert!(
            log.contains(word),
            "`{word}` is not in the message:\n{}",
            process.log_tail()
        );
    }
    // Whatever was done before is done once; the next run goes on behind it.
    run_until_latest(&job, &["--on-deserialize-error", "skip"]);
    assert_eq!(sorted_texts(&job.outputs()), GOOD);
}

#[test]
fn records_that_cannot_be_read_are_skipped() {
    let job = copy_job(1);
    with_bad_records(&job);
    run_until_latest(&job, &["--on-deserialize-error", "skip"]);
    assert_eq!(sorted_texts(&job.outputs()), GOOD);
}

#[test]
fn records_that_cannot_be_read_go_to_the_dead_letters_as_they_were() {
    let job = copy_job(1);
    with_bad_records(&job);
    let letters = cluster().topic("dead-letters", 1);
    run_until_latest(
        &job,
        &["--on-deserialize-error", &format!("dead_letter({letters})")],
    );
    assert_eq!(sorted_texts(&job.outputs()), GOOD);
    let letters = cluster().read_committed(&letters);
    assert_eq!(letters.len(), 2);
    let inputs = job.inputs();
    for (letter, offset) in letters.iter().zip(["3", "7"]) {
        let input = inputs
            .iter()
            .find(|input| input.offset.to_string() == offset)
            .unwrap();
        assert_eq!(
            (&letter.value, letter.timestamp),
            (&input.value, input.timestamp)
        );
        let header = |end: &str| {
            let (_, value) = letter
                .headers
                .iter()
                .find(|(name, _)| name.ends_with(end))
                .unwrap();
            String::from_utf8(value.clone().unwrap()).unwrap()
        };
        let place = [header(".topic"), header(".partition"), header(".offset")];
        assert_eq!(place, [job.input.as_str(), "0", offset]);
        assert!(!header(".message").is_empty());
    }
}

#[test]
fn sigterm_ends_the_job_with_a_last_checkpoint() {
    let job = copy_job(2);
    cluster().produce_numbered(&job.input, 2, 500);
    let mut process = job.start(0, &NEVER);
    wait_for_outputs(&job, 500);
    assert_eq!(
        cluster().read(&job.output, Isolation::Committed),
        [],
        "no checkpoint is due yet"
    );
    process.terminate();
    process.succeed(SOON);
    Oracle::exactly_once(&job.inputs(), &job.outputs());
    let ends: Vec<_> = cluster()
        .end_offsets(&job.input, Isolation::Committed)
        .into_iter()
        .map(Some)
        .collect();
    assert_eq!(
        cluster().committed(&job.application_id, &job.input, 2),
        ends
    );
}

#[test]
fn ctrl_c_ends_the_job_with_a_last_checkpoint() {
    let job = copy_job(1);
    cluster().produce_numbered(&job.input, 1, 10);
    let mut process = job.start(0, &NEVER);
    wait_for_outputs(&job, 10);
    process.interrupt();
    process.succeed(SOON);
    Oracle::exactly_once(&job.inputs(), &job.outputs());
}

#[test]
fn a_killed_instance_that_comes_back_aborts_what_it_had_left_open() {
    let job = copy_job(2);
    cluster().produce_numbered(&job.input, 2, 500);
    let process = job.start(0, &NEVER);
    wait_for_outputs(&job, 500);
    process.kill();
    let start = Instant::now();
    run_until_latest(&job, &[]);
    Oracle::exactly_once(&job.inputs(), &job.outputs());
    // The transaction's own timeout is 60 s: the new process didn't wait for it.
    assert!(
        start.elapsed() < Duration::from_secs(45),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_second_process_in_a_state_directory_is_told_so() {
    let job = copy_job(1);
    cluster().produce_numbered(&job.input, 1, 10);
    let mut first = job.start(0, &[]);
    wait_for_outputs(&job, 10);
    let (output, text) = output_of(job.command(0, &[]));
    assert_eq!(output.status.code(), Some(1), "{text}");
    let directory = job.directory().join("state-0").display().to_string();
    assert!(
        text.contains(&directory),
        "the message doesn't name {directory}:\n{text}"
    );
    assert_eq!(first.status(), None, "the first process goes on");
    first.terminate();
    first.succeed(SOON);
}

#[test]
fn a_job_that_cannot_run_says_why() {
    let job = copy_job(1);
    let mut missing = copy_job(1);
    missing.input = cluster().unique("not-there");
    let wrong = |code, arguments: &[&str], command: Command, words: &[&str]| {
        let (output, text) = output_of(command);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        for word in words {
            assert!(
                text.contains(word),
                "{arguments:?}: `{word}` is not in the message:\n{text}"
            );
        }
    };
    let interval = ["--checkpoint-interval", "2min"];
    wrong(
        2,
        &interval,
        job.command(0, &interval),
        &["checkpoint_interval", "transaction_timeout"],
    );
    wrong(1, &[], missing.command(0, &[]), &[missing.input.as_str()]);
    let dead = ["--on-deserialize-error", "dead_letter(no-such-topic)"];
    wrong(1, &dead, job.command(0, &dead), &["no-such-topic"]);
    wrong(
        1,
        &["check"],
        missing.command_of("check", 0),
        &[missing.input.as_str()],
    );
    let (output, text) = output_of(job.command_of("check", 0));
    assert!(output.status.success(), "{text}");
}

#[test]
fn a_cluster_that_is_not_there_is_an_error_and_not_a_wait_forever() {
    let job = copy_job(1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_crash-job"));
    // A port that nobody listens on any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    command
        .env("CRASH_INPUT", "input")
        .env("CRASH_OUTPUT", "output")
        .env("CRASH_APPLICATION_ID", &job.application_id);
    command
        .args(["run", "--bootstrap-servers", &address, "--state-dir"])
        .arg(job.directory().join("state"));
    let log = job.directory().join("log");
    let mut process = Job::start(&command, &log);
    // It is waited for, for 60 s.
    assert_eq!(process.wait(2 * SOON).code(), Some(1));
    assert!(process.log().contains(&address), "{}", process.log_tail());
}
