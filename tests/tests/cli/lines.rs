//! `--lines`: topics that are filled from files.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::fixture::{Ended, ended};

fn word_count(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_word-count"));
    command.args(arguments);
    command
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
    for (arguments, words) in cases {
        let Ended { code, stderr, .. } = ended(&mut word_count(arguments));
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
    let Ended { code, stderr, .. } = ended(&mut word_count(&[&flag]));
    assert_eq!(code, Some(1), "{stderr}");
    let place = format!("{}:2: ", file.display());
    assert!(stderr.contains(&place), "{stderr}");
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_flight-delays"));
    let Ended {
        code,
        stdout,
        stderr,
    } = ended(command.arg(&flag));
    assert_eq!(code, Some(0), "{stderr}");
    for line in [
        "     2  American Airlines Inc.",
        "57.0 min  Newark Liberty Intl       2 flights",
        "57.0 min  dry, calm",
    ] {
        assert!(stdout.contains(line), "`{line}` is not in {stdout}");
    }
}
