//! The `embedded-kafka` binary: says where it listens, serves, and ends on SIGTERM.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_embedded-kafka");

fn spawn(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line)
}

#[test]
fn it_says_its_real_port_and_ends_on_sigterm() {
    let (mut child, line) = spawn(&["--listen", "127.0.0.1:0", "--topic", "input:4"]);
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("127.0.0.1:"))
        .unwrap();
    assert!(!address.ends_with(":0"), "{line}");
    assert!(line.contains("development and tests"), "{line}");
    TcpStream::connect(address).unwrap();
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_refuses_what_it_cannot_do() {
    for arguments in [
        ["--topic", "a b:1"],
        ["--topic", "a:many"],
        ["--setting", "no.such=1"],
    ] {
        let output = Command::new(BINARY)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(!output.stderr.is_empty());
    }
}
