//! Tests of `join_with_grace` where a record fails that has waited: it fails alone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::prelude::*;
use crate::serde::{By, ByType, SerdeError, Serializer, Written};
use crate::testing::TestRecord;
use std::time::Duration;

/// Refuses to write `unwritable`.
#[derive(Default)]
struct Picky;

impl Serializer<String> for Picky {
    fn write(&self, value: &String, out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        if value == "unwritable" {
            return Err(SerdeError::new("as it was told"));
        }
        out.extend_from_slice(value.as_bytes());
        Ok(Written::Bytes)
    }
}

fn driver(policy: &ErrorPolicy) -> TopologyTestDriver {
    let builder = TopologyBuilder::new("app");
    builder.on_process_error(policy.clone());
    builder.on_produce_error(policy.clone());
    let table = builder.table::<String, String>("table").named("table");
    let table = table.versioned(Duration::from_secs(60));
    let stream = builder.stream::<String, String>("stream");
    let grace = Duration::from_millis(5);
    let joined = stream.join_with_grace(&table, grace, |value, _| {
        assert_ne!(value, "panic", "as it was told");
        value.clone()
    });
    joined.named("late").to_with("out", ByType, By(Picky));
    let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
    driver.pipe_record("table", &record("row", 0)).unwrap();
    driver
}

fn record(value: &str, at: i64) -> TestRecord<String, String> {
    TestRecord::new("k".to_owned(), value.to_owned()).at(at)
}

fn values(driver: &mut TopologyTestDriver) -> Vec<String> {
    driver.read_values::<String>("out").unwrap()
}

#[test]
fn what_has_waited_and_fails_is_skipped_alone() {
    for poison in ["panic", "unwritable"] {
        let mut driver = driver(&ErrorPolicy::Skip);
        for (value, at) in [("before", 1), (poison, 2), ("behind", 3), ("releases", 8)] {
            driver.pipe_record("stream", &record(value, at)).unwrap();
        }
        assert_eq!(values(&mut driver), ["before", "behind"], "{poison}");
        // Neither the record that has released it nor a later one is hurt, and nothing comes twice.
        for (value, at) in [("later", 14), ("last", 20)] {
            driver.pipe_record("stream", &record(value, at)).unwrap();
        }
        assert_eq!(values(&mut driver), ["releases", "later"], "{poison}");
    }
}

#[test]
fn the_dead_letter_is_the_record_that_has_waited() {
    for (poison, reason) in [
        ("panic", "as it was told"),
        ("unwritable", "cannot be written"),
    ] {
        let mut driver = driver(&ErrorPolicy::DeadLetter("dead".to_owned()));
        let poison = record(poison, 2).header("own", "1");
        driver.pipe_record("stream", &poison).unwrap();
        driver.pipe_record("stream", &record("good", 9)).unwrap();
        driver.pipe_record("stream", &record("last", 15)).unwrap();
        assert_eq!(values(&mut driver), ["good"]);
        let dead = driver.read::<String, String>("dead").unwrap();
        let [letter] = dead.as_slice() else {
            panic!("one letter, and not {dead:?}")
        };
        assert_eq!((&letter.key, &letter.value), (&poison.key, &poison.value));
        assert_eq!(letter.timestamp, Some(2));
        let header = |name: &str| {
            let value = letter.headers.last(name).flatten().unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        assert_eq!(header("own"), "1");
        assert_eq!(header("__streams.errors.processor"), "late");
        let message = header("__streams.errors.message");
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn under_fail_the_error_names_what_has_waited() {
    let mut driver = driver(&ErrorPolicy::Fail);
    driver.pipe_record("stream", &record("panic", 2)).unwrap();
    let released = driver.pipe_record("stream", &record("good", 9));
    let error = released.unwrap_err().to_string();
    for part in ["process failed", "`late`", "as it was told", "timestamp 2"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_record_that_fails_itself_releases_nothing_and_is_not_in_the_buffer() {
    let builder = TopologyBuilder::new("app");
    builder.on_process_error(ErrorPolicy::Skip);
    let table = builder.table::<String, String>("table").named("table");
    let table = table.versioned(Duration::from_secs(60));
    let stream = builder.stream::<String, String>("stream");
    let grace = Duration::from_millis(5);
    let joined = stream.join_with_grace(&table, grace, |value, _| value.clone());
    joined.named("late").to("out");
    // Behind the buffer: the buffer has let its records go when this fails.
    stream.for_each(|_, value| assert_ne!(value, "panic", "as it was told"));
    let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
    driver.pipe_record("table", &record("row", 0)).unwrap();
    for (value, at) in [("waits", 1), ("panic", 9)] {
        driver.pipe_record("stream", &record(value, at)).unwrap();
    }
    assert!(values(&mut driver).is_empty());
    driver.pipe_record("stream", &record("good", 9)).unwrap();
    assert_eq!(values(&mut driver), ["waits"]);
    driver.pipe_record("stream", &record("last", 20)).unwrap();
    assert_eq!(values(&mut driver), ["good"]);
}
