//! A process that dies at each step of a checkpoint, and within a restore: the next one goes on, and each word counts once.

use std::path::Path;
use std::time::Duration;

use streams_tests::{CopyJob, Counts, Sender, TestCluster, ToldRestore};

const DEADLINE: Duration = Duration::from_secs(60);

/// Words in lines, of which every one comes again and again.
pub(crate) fn produce(job: &CopyJob<'_>, lines: std::ops::Range<usize>) {
    let sender = Sender::new(TestCluster::shared(), &[]);
    for line in lines {
        let words = [line % 7, line % 11, line % 13]
            .map(|n| format!("w{n}"))
            .join(" ");
        let partition = i32::try_from(line % 3).unwrap();
        sender.text(&job.input, partition, &words);
    }
    sender.flush();
}

pub(crate) const ARGUMENTS: [&str; 3] = ["--until-latest", "--checkpoint-interval", "100ms"];

/// Runs an instance that dies at the point, and gives the changelog records that its restores have read.
pub(crate) fn die_at(job: &CopyJob<'_>, arguments: &[&str], point: &str, passes: usize) -> u64 {
    let mut command = job.command(0, arguments);
    command.env("STREAMS_FAIL_POINT", format!("{point}:{passes}"));
    let log = job.directory().join("instance-0.log");
    restored_in(job, || {
        let status = streams_tests::Job::start(&command, &log).wait(DEADLINE);
        assert!(!status.success(), "{point}: it did not die");
    })
}

/// Runs an instance to its end, and gives the changelog records that its restores have read.
pub(crate) fn go_on(job: &CopyJob<'_>, arguments: &[&str]) -> u64 {
    restored_in(job, || job.start(0, arguments).succeed(DEADLINE))
}

/// What the restores that a run adds to the log have read.
fn restored_in(job: &CopyJob<'_>, run: impl FnOnce()) -> u64 {
    let log = || std::fs::read_to_string(job.directory().join("instance-0.log"));
    let before = log().map_or(0, |log| log.len());
    run();
    let log = log().unwrap();
    let told = ToldRestore::of_log(log.get(before..).unwrap_or_default());
    told.iter().map(|restore| restore.records).sum()
}

#[track_caller]
fn judge(job: &CopyJob<'_>) {
    let counts = Counts::of_words(&job.inputs());
    counts.are_told_by(&job.outputs());
    let changelog = format!("{}-counts-changelog", job.application_id);
    counts.are_kept_in(&TestCluster::shared().read_committed(&changelog));
}

/// What the instance told of everything but its checkpoints.
fn told_of(job: &CopyJob<'_>) -> String {
    let log = std::fs::read_to_string(job.directory().join("instance-0.log")).unwrap_or_default();
    let lines = log.lines().filter(|line| !line.contains(" checkpoint "));
    lines.collect::<Vec<_>>().join("\n")
}

fn changelog_records(job: &CopyJob<'_>) -> u64 {
    let changelog = format!("{}-counts-changelog", job.application_id);
    TestCluster::shared().read_committed(&changelog).len() as u64
}

/// Where the process dies: what is committed then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dies {
    BeforeTheCommit,
    AfterTheCommit,
}

/// Dies at the point in the middle of the second run, and goes on.
fn survives(point: &str, dies: Dies) {
    let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
    let job = CopyJob::new(TestCluster::shared(), program, 3);
    produce(&job, 0..200);
    go_on(&job, &ARGUMENTS);
    let applied = changelog_records(&job);
    produce(&job, 200..400);
    // Where the brokers are slow, an instance that dies may have had to read what it could not know to be committed.
    let (read_before, lacking) = match dies {
        Dies::BeforeTheCommit => {
            // In the second checkpoint. Nobody waits for the transaction that it leaves open.
            let read = die_at(&job, &ARGUMENTS, point, 1);
            (read, read)
        }
        Dies::AfterTheCommit => {
            // In the first one that changes the store.
            let read = die_at(&job, &ARGUMENTS, point, 0);
            (read, changelog_records(&job) - applied)
        }
    };
    // Words of every partition: a run with nothing to do for a task does not wait for its state.
    produce(&job, 400..500);
    let read = go_on(&job, &ARGUMENTS);
    let read_in_all = read_before + read;
    let told = || {
        format!(
            "{point}: read {read_before}, then {read}, of {lacking}\n{}",
            told_of(&job)
        )
    };
    match point {
        "AfterCommit" => assert!(read_in_all == lacking && lacking > 0, "{}", told()),
        _ => assert!(read_in_all <= lacking, "{}", told()),
    }
    judge(&job);
}

#[test]
fn before_anything_is_written() {
    survives("BeforeChangelog", Dies::BeforeTheCommit);
}

#[test]
fn behind_the_changelog() {
    survives("AfterChangelog", Dies::BeforeTheCommit);
}

#[test]
fn behind_the_flush() {
    survives("AfterFlush", Dies::BeforeTheCommit);
}

#[test]
fn between_the_offsets_and_the_commit() {
    survives("AfterOffsets", Dies::BeforeTheCommit);
}

#[test]
fn between_the_commit_and_the_stores() {
    survives("AfterCommit", Dies::AfterTheCommit);
}

#[test]
fn between_the_stores() {
    survives("InApply", Dies::AfterTheCommit);
}

#[test]
fn behind_the_stores() {
    survives("AfterApply", Dies::AfterTheCommit);
}

/// Words of 20 kB, each of which comes once.
fn produce_long(job: &CopyJob<'_>, numbers: std::ops::Range<usize>) {
    let sender = Sender::new(TestCluster::shared(), &[]);
    for number in numbers {
        let word = format!("{number:05}").repeat(4_000);
        sender.text(&job.input, 0, &word);
    }
    sender.flush();
}

/// Dies while the log of a store, which has had its share, becomes a table; gives how many records are read then, of how many.
fn survives_a_table(point: &str) -> (u64, u64) {
    let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
    let job = CopyJob::new(TestCluster::shared(), program, 1);
    // Half of what a log may have.
    produce_long(&job, 0..400);
    go_on(&job, &ARGUMENTS);
    let applied = changelog_records(&job);
    produce_long(&job, 350..900);
    assert_eq!(die_at(&job, &ARGUMENTS, point, 0), 0);
    let lacking = changelog_records(&job) - applied;
    produce_long(&job, 850..950);
    let read = go_on(&job, &ARGUMENTS);
    judge(&job);
    (read, lacking)
}

#[test]
fn within_a_table_of_a_log() {
    let (read, lacking) = survives_a_table("InTable");
    assert!(read > 0 && read <= lacking, "{read} of {lacking}");
}

#[test]
fn behind_a_table_of_a_log() {
    let (read, lacking) = survives_a_table("AfterTable");
    assert!(read == 0 && lacking > 0, "{read} of {lacking}");
}

#[test]
fn within_a_table_of_a_restore() {
    let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
    let job = CopyJob::new(TestCluster::shared(), program, 1);
    // Several times what a restore writes record by record, also where a part of it comes late.
    produce_long(&job, 0..750);
    go_on(&job, &ARGUMENTS);
    std::fs::remove_dir_all(job.directory().join("state-0")).unwrap();
    produce_long(&job, 700..760);
    // The table is there, and nothing knows of it.
    die_at(&job, &ARGUMENTS, "InIngestion", 0);
    let restored = go_on(&job, &ARGUMENTS);
    assert!(restored >= 200, "{restored}: nothing of the table counts");
    judge(&job);
}

#[test]
fn within_a_restore() {
    let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
    let job = CopyJob::new(TestCluster::shared(), program, 3);
    produce(&job, 0..200);
    go_on(&job, &ARGUMENTS);
    let written = changelog_records(&job);
    std::fs::remove_dir_all(job.directory().join("state-0")).unwrap();
    produce(&job, 200..300);
    die_at(&job, &ARGUMENTS, "InRestore", 0);
    // What was applied before is not read again.
    let restored = go_on(&job, &ARGUMENTS);
    assert!(restored < written, "read {restored} of {written}");
    judge(&job);
}
