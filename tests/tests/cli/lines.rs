//! `--lines`, and what the examples print.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use streams_tests::{Job, wait_until};
use tempfile::TempDir;

use crate::fixture::{Ended, SOON, ended};

/// An example with a state directory of its own: these tests run at the same time.
fn example(program: &str, directory: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--state-dir")
        .arg(directory.path().join("state"));
    command
}

fn word_count(directory: &TempDir, arguments: &[&str]) -> Command {
    example(env!("CARGO_BIN_EXE_word-count"), directory, arguments)
}

/// A file with this content, and the flag that has it read.
fn file(directory: &TempDir, topic: &str, content: impl AsRef<[u8]>) -> (PathBuf, String) {
    let file = directory.path().join(format!("{topic}.txt"));
    std::fs::write(&file, content).unwrap();
    let flag = format!("--lines={topic}={}", file.display());
    (file, flag)
}

#[test]
fn lines_that_cannot_be_meant_are_wrong_arguments() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--lines", "file.txt"], &["file.txt", "`topic=file`"]),
        (&["--lines", "line=file.txt"], &["choose `lines`"]),
        (
            &["--lines", "lines=one.txt", "--lines", "lines=two.txt"],
            &["one.txt", "two.txt", "from one file"],
        ),
        (
            &["--lines", "lines=one.txt", "--bootstrap-servers", "a:1"],
            &["on a cluster", "leave it out"],
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (arguments, words) in cases {
        let Ended { code, stderr, .. } = ended(&mut word_count(&directory, arguments));
        assert_eq!(code, Some(2), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "`{word}` is not in {stderr}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let (file, flag) = file(&directory, "lines", b"to be\nor n\xf6t\n");
    let Ended { code, stderr, .. } = ended(&mut word_count(&directory, &[&flag]));
    assert_eq!(code, Some(1), "{stderr}");
    let place = format!("{}:2: ", file.display());
    assert!(stderr.contains(&place), "{stderr}");
}

#[test]
fn the_words_of_a_short_text_are_counted_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let (_, flag) = file(&directory, "lines", "to be\nor not to be\nthat is");
    let Ended {
        code,
        stdout,
        stderr,
    } = ended(&mut word_count(&directory, &[&flag]));
    assert_eq!(code, Some(0), "{stderr}");
    let shown: Vec<Vec<&str>> = stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [_, heading, be, to, is, ..] = &shown[..] else {
        panic!("{stdout}");
    };
    assert_eq!(heading.join(" "), "The most frequent of 6 words");
    assert_eq!([be, to, is], [&["2", "be"], &["2", "to"], &["1", "is"]]);

    // As under `| head -1`.
    let mut command = word_count(&directory, &[&flag]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    drop(output);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn what_is_shown_of_a_run_that_was_stopped_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut job = Job::start(&word_count(&directory, &[]), &log);
    wait_until("a checkpoint", SOON, || {
        job.log().contains("checkpoint 1 completed")
    });
    job.interrupt();
    job.succeed(SOON);
    let log = job.log();
    let (_, shown) = log.split_once("\nStopped ").unwrap();
    assert!(shown.contains("The most frequent of "), "{log}");
}

#[test]
fn a_carrier_in_quotes_is_the_airline_that_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let heading = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,\
                   tailnum,origin,dest,air_time,distance,hour,minute,time_hour";
    let late = "2013,1,1,557,500,57,830,819,11,\"AA\",1545,\"N14228\",\"EWR\",\"IAH\",227,1400,5,15,\"2013-01-01T10:00:00Z\"";
    let (_, flag) = file(
        &directory,
        "flights",
        format!("{heading}\n{late}\n{late}\n"),
    );
    let mut command = example(env!("CARGO_BIN_EXE_flight-delays"), &directory, &[&flag]);
    let Ended {
        code,
        stdout,
        stderr,
    } = ended(&mut command);
    assert_eq!(code, Some(0), "{stderr}");
    for line in [
        "     2  American Airlines Inc.",
        "57.0 min  Newark Liberty Intl       2 flights",
        "57.0 min  dry, calm",
    ] {
        assert!(stdout.contains(line), "`{line}` is not in {stdout}");
    }
}
