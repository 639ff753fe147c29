//! What is passed to librdkafka, and what is refused.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use std::io::Write;

#[test]
fn a_property_file_is_read_line_by_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        file,
        "# a comment\n\nsecurity.protocol = SASL_PLAINTEXT\nsasl.username=streams"
    )
    .unwrap();
    let mut properties = Properties::new("localhost:9092");
    properties.load(file.path()).unwrap();
    assert_eq!(
        properties.admin().get("security.protocol"),
        Some("SASL_PLAINTEXT")
    );
    assert_eq!(properties.admin().get("sasl.username"), Some("streams"));
}

#[test]
fn a_line_that_is_wrong_is_named_but_not_told() {
    for (line, reason) in [
        ("hunter2", "expected `key=value`"),
        ("sasl.pasword=hunter2", "no property `sasl.pasword`"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "compression.type=lz4\n{line}").unwrap();
        let error = Properties::new("localhost:9092")
            .load(file.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 2: ") && error.contains(reason),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn blanks_belong_to_a_value_that_is_set() {
    let mut properties = Properties::new("localhost:9092");
    properties.set("sasl.password", " secret ").unwrap();
    assert_eq!(properties.admin().get("sasl.password"), Some(" secret "));
}

#[test]
fn what_exactly_once_depends_on_is_refused() {
    let error = Properties::new("localhost:9092")
        .set("transactional.id", "mine")
        .unwrap_err()
        .to_string();
    assert!(error.contains("set `transactional_id_prefix`"), "{error}");
}

#[test]
fn a_property_has_one_value_under_all_its_names() {
    let mut properties = Properties::default();
    properties.set("metadata.broker.list", "b:1").unwrap();
    assert_eq!(properties.bootstrap_servers(), "b:1");
    properties.set("queue.buffering.max.ms", "7").unwrap();
    let producer = properties.idempotent_producer(0);
    assert_eq!(producer.get("linger.ms"), Some("7"));
    assert_eq!(producer.get("queue.buffering.max.ms"), None);
}

#[test]
fn an_empty_list_of_brokers_is_refused() {
    for (key, value) in [
        ("bootstrap.servers", ""),
        ("bootstrap.servers", " , "),
        ("metadata.broker.list", ""),
    ] {
        let error = Properties::default().set(key, value).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(key) && error.contains("HOST:PORT"),
            "{error}"
        );
    }
}

#[test]
fn a_client_may_not_wait_for_longer_than_a_transaction() {
    for (property, name) in [
        ("message.timeout.ms", "`message.timeout.ms`"),
        ("delivery.timeout.ms", "`message.timeout.ms`"),
        ("socket.timeout.ms", "`socket.timeout.ms`"),
    ] {
        let mut properties = Properties::new("localhost:9092");
        properties.set(property, "70000").unwrap();
        let check = |seconds| properties.check_transaction_timeout(Duration::from_secs(seconds));
        check(70).unwrap();
        let error = check(60).unwrap_err().to_string();
        for word in [name, "70000", "60000", "`transaction_timeout`"] {
            assert!(error.contains(word), "{error}");
        }
    }
}

#[test]
fn a_user_property_wins_over_a_default() {
    let mut properties = Properties::new("localhost:9092");
    properties.set("linger.ms", "0").unwrap();
    assert_eq!(
        properties.idempotent_producer(0).get("linger.ms"),
        Some("0")
    );
}

#[test]
fn each_client_of_a_job_has_an_id_of_its_own() {
    let mut properties = Properties::new("localhost:9092");
    properties.name_clients("job-1f".into());
    assert_eq!(properties.admin().get("client.id"), Some("job-1f-admin"));
    let producer = properties.idempotent_producer(2);
    assert_eq!(producer.get("client.id"), Some("job-1f-2-producer"));
    properties.set("client.id", "mine").unwrap();
    properties.name_clients("job-1f".into());
    assert_eq!(properties.admin().get("client.id"), Some("mine-admin"));
}
