//! A disk that fails: an error that says what to do, and a store that goes on from where it was.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use streams_tests::{CopyJob, Counts, Job, Sender, TestCluster};

use crate::fixture::Counting;

const DEADLINE: Duration = Duration::from_secs(60);

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn a_damaged_database_is_refused_with_the_way_out_which_works() {
    let mut job = Counting::new(2);
    job.produce(300, 20);
    job.run_until_latest();
    let written = job.changelog_records();
    let stores = job.directory.path().join("stores");
    for file in files(&stores) {
        std::fs::write(file, b"not what was there").unwrap();
    }
    job.produce(100, 20);
    let error = job.run(job.topology()).unwrap_err().to_string();
    let names_it = error.contains(&*stores.to_string_lossy());
    assert!(names_it && error.contains("delete it"), "{error}");
    // Nothing of the input was taken.
    job.take_restores();
    std::fs::remove_dir_all(stores).unwrap();
    job.run_until_latest();
    job.judge();
    assert_eq!(job.take_restored(), written as u64);
}

/// Words that are all different.
fn produce(job: &CopyJob<'_>, lines: std::ops::Range<usize>) {
    let sender = Sender::new(TestCluster::shared(), &[]);
    for line in lines {
        let partition = i32::try_from(line % 3).unwrap();
        let words: Vec<String> = (0..20).map(|word| format!("word-{line}-{word}")).collect();
        sender.text(&job.input, partition, &words.join(" "));
    }
    sender.flush();
}

/// The same command, for which each file ends at so many blocks of 512 bytes, as on a full disk.
fn with_small_files(command: &Command, blocks: u64) -> Command {
    let mut limited = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    limited.args(["-c", &script]).arg(command.get_program());
    limited.args(command.get_args());
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.process_group(0);
    limited
}

#[test]
fn a_full_disk_ends_the_job_and_the_next_one_goes_on() {
    let program = Path::new(env!("CARGO_BIN_EXE_count-job"));
    let job = CopyJob::new(TestCluster::shared(), program, 3);
    let arguments = ["--until-latest", "--checkpoint-interval", "100ms"];
    produce(&job, 0..100);
    job.start(0, &arguments).succeed(DEADLINE);
    produce(&job, 100..2_000);
    // The journal, which has the 2,000 words of the first run, has no room for the 38,000 of this one.
    let command = with_small_files(&job.command(0, &arguments), 1_000);
    let log = job.directory().join("limited.log");
    let mut limited = Job::start(&command, &log);
    let status = limited.wait(DEADLINE);
    assert!(!status.success(), "it did not end:\n{}", limited.log_tail());
    let log = limited.log();
    let stores = job.directory().join("state-0/stores");
    for part in [
        "writing the state store `counts` failed: ",
        &*stores.to_string_lossy(),
        "room on the disk",
    ] {
        assert!(log.contains(part), "{part:?} is not in\n{log}");
    }
    job.start(0, &arguments).succeed(DEADLINE);
    let counts = Counts::of_words(&job.inputs());
    counts.are_told_by(&job.outputs());
    let changelog = format!("{}-counts-changelog", job.application_id);
    counts.are_kept_in(&TestCluster::shared().read_committed(&changelog));
}
