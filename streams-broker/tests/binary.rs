//! The `embedded-kafka` binary: says where it listens, serves, and ends on SIGTERM.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
    let (mut child, line) = spawn(&[
        "--listen",
        "127.0.0.1:0",
        "--topic",
        "input:4:cleanup.policy=compact,delete",
    ]);
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

/// Asks for ApiVersions 0, and gives the length of the answer.
fn ask(address: &str) -> std::io::Result<i32> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // Length, API key, version, correlation id, no client id.
    let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    Ok(i32::from_be_bytes(length))
}

#[test]
fn it_does_harm_as_it_is_told() {
    let (mut child, line) = spawn(&[
        "--listen",
        "127.0.0.1:0",
        "--fault",
        "cut-before,api=ApiVersions,nth=2",
        "--fault",
        "cut-after,api=ApiVersions,after=3",
    ]);
    let mut words = line.split_whitespace();
    let address = words.find(|word| word.starts_with("127.0.0.1:")).unwrap();
    let answered = [(); 5].map(|()| ask(address).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answered, [true, false, true, false, false]);
}

#[test]
fn it_warns_when_it_listens_beyond_this_machine_and_says_what_it_tells() {
    for (address, advertised, warns, told, unreachable) in [
        ("0.0.0.0:0", None, true, " tells clients 127.0.0.1:", true),
        (
            "0.0.0.0:0",
            Some("kafka.test:19092"),
            true,
            " tells clients kafka.test:19092 ",
            false,
        ),
        ("127.0.0.1:0", None, false, " on 127.0.0.1:", false),
    ] {
        let advertised = advertised.map(|told| ["--advertised-listener", told]);
        let child = Command::new(BINARY)
            .args(["--listen", address])
            .args(advertised.into_iter().flatten())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        child.kill().unwrap();
        let said = child.wait_with_output().unwrap().stderr;
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said.contains("access control"), warns, "{address}: {said}");
        assert_eq!(
            said.contains("other machines"),
            unreachable,
            "{address}: {said}"
        );
        assert!(line.contains(told), "{address}: {line}");
    }
}

/// The value of a line in a file of `/proc`, in kB.
#[cfg(target_os = "linux")]
fn kilobytes(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    value.unwrap().parse().unwrap()
}

/// In hundredths of a second.
#[cfg(target_os = "linux")]
fn processor_time(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|time| time.parse::<u64>().unwrap()).sum()
}

#[test]
#[cfg(target_os = "linux")]
fn it_takes_nearly_nothing_while_nobody_asks() {
    let (mut child, line) = spawn(&["--listen", "127.0.0.1:0"]);
    let mut words = line.split_whitespace();
    let address = words.find(|word| word.starts_with("127.0.0.1:")).unwrap();
    ask(address).unwrap();
    let before = processor_time(child.id());
    // What it does then is what is measured.
    std::thread::sleep(Duration::from_secs(3));
    let idle = processor_time(child.id()) - before;
    let memory = kilobytes(child.id(), "VmRSS");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(idle <= 3, "{idle} hundredths of a second in three seconds");
    assert!(memory < 20_000, "{memory} kB");
}

#[test]
fn it_refuses_what_it_cannot_do() {
    for (option, value, said) in [
        ("--topic", "a b:1", "Topic name is invalid"),
        (
            "--topic",
            "a:many",
            "\"many\" is not a number of partitions",
        ),
        ("--topic", "a:0", "must be larger than 0"),
        ("--topic", "a:1:compact", "a setting is written name=value"),
        (
            "--topic",
            "a:1:cleanup.policy=compress",
            "compress for configuration cleanup.policy",
        ),
        ("--setting", "max.connections=-1", "max.connections"),
        ("--setting", "no.such=1", "no.such"),
        ("--advertised-listener", "0.0.0.0:9092", "0.0.0.0"),
        ("--advertised-listener", "nowhere", "\"nowhere\""),
        ("--listen", "nowhere", "cannot listen on nowhere"),
        ("--max-log-bytes", "much", "invalid digit"),
        ("--fault", "explode", "explode"),
        ("--fault", "fail=NO_SUCH_ERROR", "NO_SUCH_ERROR"),
    ] {
        let listen = ["--listen", "127.0.0.1:0"];
        let output = Command::new(BINARY)
            .args(listen.into_iter().filter(|_| option != "--listen"))
            .args([option, value])
            .output()
            .unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{option} {value}");
        assert!(words.contains(said), "{option} {value}: {words}");
        assert!(output.stdout.is_empty(), "{option} {value}");
    }
}

#[test]
fn its_help_names_every_option_and_what_it_is_for() {
    let output = Command::new(BINARY).arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for said in [
        "--listen",
        "--advertised-listener",
        "--topic",
        "--setting",
        "--max-log-bytes",
        "--max-partitions",
        "--max-coordinator-bytes",
        "--max-decompressed-bytes",
        "--marker-delay",
        "--fault",
        "cut-after",
        "development and tests",
        "Examples:",
    ] {
        assert!(help.contains(said), "{said} in {help}");
    }
}
