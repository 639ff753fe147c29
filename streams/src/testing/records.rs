//! Tests of the driver: what becomes of records.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::{RawRecord, TestRecord};
use crate::prelude::*;
use std::time::Duration;

fn driver(configure: impl Fn(&TopologyBuilder)) -> TopologyTestDriver {
    let builder = TopologyBuilder::new("app");
    configure(&builder);
    builder.stream::<String, i64>("in").to("out");
    let partitions = std::num::NonZero::new(2).unwrap();
    TopologyTestDriver::with_partitions(builder.build(), partitions).unwrap()
}

fn unreadable() -> RawRecord {
    TestRecord::new(Some(b"k".to_vec()), Some(b"abc".to_vec())).at(9)
}

#[test]
fn a_topology_that_is_wrong_is_refused() {
    let builder = TopologyBuilder::new("app");
    builder.stream::<Keyless, str>("in").to("in");
    assert!(TopologyTestDriver::new(builder.build()).is_err());
}

#[test]
fn a_topic_that_is_not_read_is_an_error_that_names_those_that_are() {
    let error = driver(|_| ())
        .pipe("inn", "k", &1_i64)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the topology does not read `inn`; it reads in");
}

#[test]
fn a_record_without_a_time_gets_the_wall_clocks() {
    let mut driver = driver(|_| ());
    driver.advance_wall_clock(Duration::from_secs(2)).unwrap();
    driver.pipe("in", "k", &1_i64).unwrap();
    assert_eq!(driver.wall_clock(), 2_000);
    assert_eq!(
        driver.read::<String, i64>("out").unwrap(),
        [TestRecord::new("k".to_owned(), 1).at(2_000)]
    );
}

#[test]
fn what_was_read_is_gone() {
    let mut driver = driver(|_| ());
    driver.pipe("in", "k", &1_i64).unwrap();
    assert_eq!(driver.read_raw("out").len(), 1);
    assert!(driver.read_raw("out").is_empty());
}

#[test]
fn offsets_count_per_partition_and_failed_records_count() {
    let mut driver = driver(|_| ());
    for (partition, offset) in [(0, 0), (1, 0), (1, 1)] {
        let error = driver
            .pipe_raw("in", partition, &unreadable())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("offset {offset} of in-{partition}")),
            "{error}"
        );
    }
}

#[test]
fn a_record_that_cannot_be_read_goes_where_the_policy_says() {
    let mut skipping = driver(|builder| builder.on_deserialize_error(ErrorPolicy::Skip));
    skipping.pipe_raw("in", 0, &unreadable()).unwrap();
    assert!(skipping.read_all_raw().is_empty());

    let mut keeping =
        driver(|builder| builder.on_deserialize_error(ErrorPolicy::DeadLetter("dead".to_owned())));
    keeping.pipe_raw("in", 0, &unreadable()).unwrap();
    let dead = keeping.read_raw("dead");
    let [letter] = dead.as_slice() else {
        unreachable!("one letter, and not {dead:?}")
    };
    assert_eq!(
        (&letter.key, &letter.value, letter.timestamp),
        (&unreadable().key, &unreadable().value, Some(9))
    );
    let why = letter
        .headers
        .last("__streams.errors.message")
        .flatten()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(why),
        "the value cannot be read: a big-endian `i64` has 8 bytes, found 3"
    );
}

#[test]
fn an_output_that_is_read_as_another_type_is_an_error() {
    let mut driver = driver(|_| ());
    driver.pipe("in", "k", &1_i64).unwrap();
    let error = driver.read_values::<i16>("out").unwrap_err().to_string();
    assert!(error.contains("the test cannot read the value"), "{error}");
}
