//! Tests of the record cache: what the operators behind a table get, and when.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::prelude::*;
use crate::testing::TestRecord;

const ROOM: usize = 10 << 20;

/// A topology whose record cache has room for all, and a driver whose checkpoints are by hand.
fn cached(draft: impl FnOnce(&TopologyBuilder)) -> TopologyTestDriver {
    cached_in(ROOM, draft)
}

fn cached_in(bytes: usize, draft: impl FnOnce(&TopologyBuilder)) -> TopologyTestDriver {
    let builder = TopologyBuilder::new("app");
    builder.statestore_cache_max_bytes(bytes);
    draft(&builder);
    let driver = TopologyTestDriver::new(builder.build()).unwrap();
    driver.checkpoints_by_hand()
}

fn pipe(driver: &mut TopologyTestDriver, topic: &str, records: &[(&str, Option<i64>)]) {
    for (key, value) in records {
        driver.pipe(topic, *key, value).unwrap();
    }
}

fn out(driver: &mut TopologyTestDriver) -> Vec<(String, Option<i64>)> {
    driver.read_key_values("out").unwrap()
}

fn rows<'r>(rows: impl IntoIterator<Item = (&'r str, Option<i64>)>) -> Vec<(String, Option<i64>)> {
    let rows = rows.into_iter();
    rows.map(|(key, value)| (key.to_owned(), value)).collect()
}

#[test]
fn a_checkpoint_sends_the_newest_update_of_each_row_in_the_order_of_their_last_updates() {
    let mut driver = cached(|builder| {
        builder.table::<str, i64>("in").to_stream().to("out");
    });
    let records = [
        ("a", Some(1)),
        ("b", Some(2)),
        ("a", Some(3)),
        ("c", Some(4)),
    ];
    pipe(&mut driver, "in", &records);
    assert_eq!(out(&mut driver), []);
    driver.checkpoint().unwrap();
    let expected = [("b", Some(2)), ("a", Some(3)), ("c", Some(4))];
    assert_eq!(out(&mut driver), rows(expected));
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), []);
}

#[test]
fn a_removal_is_sent_with_the_time_of_its_record_and_not_of_the_row() {
    let mut driver = cached(|builder| {
        let stream = builder.stream::<String, i64>("in").group_by_key();
        let sums = stream.reduce(|sum, add| (sum != *add).then_some(sum + add));
        sums.named("sums").to_stream().to("out");
    });
    let mut sent = |value: i64, at| {
        let record = TestRecord::new("a".to_owned(), value).at(at);
        driver.pipe_record("in", &record).unwrap();
        driver.checkpoint().unwrap();
        let out = driver.read::<String, Option<i64>>("out").unwrap();
        out.into_iter()
            .map(|r| (r.value, r.timestamp))
            .collect::<Vec<_>>()
    };
    assert_eq!(sent(1, 9), [(Some(1), Some(9))]);
    assert_eq!(sent(2, 5), [(Some(3), Some(9))]);
    assert_eq!(sent(3, 7), [(None, Some(7))]);
}

#[test]
fn without_checkpoints_by_hand_each_update_is_sent_on_at_once() {
    let builder = TopologyBuilder::new("app");
    builder.statestore_cache_max_bytes(ROOM);
    let counts = builder.stream::<str, i64>("in").group_by_key().count();
    counts.to_stream().to("out");
    let mut driver = TopologyTestDriver::new(builder.build()).unwrap();
    pipe(&mut driver, "in", &[("a", Some(1)), ("a", Some(1))]);
    assert_eq!(out(&mut driver), rows([("a", Some(1)), ("a", Some(2))]));
}

#[test]
fn a_row_that_came_and_went_is_not_told_and_one_that_was_told_is_removed() {
    let mut driver = cached(|builder| {
        builder.table::<str, i64>("in").to_stream().to("out");
    });
    pipe(&mut driver, "in", &[("told", Some(1))]);
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("told", Some(1))]));
    let records = [
        ("told", Some(2)),
        ("told", None),
        ("came", Some(1)),
        ("came", None),
        ("never", None),
    ];
    pipe(&mut driver, "in", &records);
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("told", None)]));
}

/// Adds up the values of all rows: right only if each update's old value is the one that was sent on before.
fn sum(builder: &TopologyBuilder) {
    let amounts = builder.table::<String, i64>("in").named("amounts");
    let all = amounts.group_by(|_, amount| ("all".to_owned(), *amount));
    let sum = all.reduce(|sum, amount| sum + amount, |sum, amount| sum - amount);
    sum.named("sum").to_stream().to("out");
}

#[test]
fn the_old_value_is_the_one_that_was_sent_on_last() {
    let mut driver = cached(sum);
    pipe(&mut driver, "in", &[("a", Some(1)), ("b", Some(10))]);
    driver.checkpoint().unwrap();
    // The sum waits in turn, behind the repartition topic.
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("all", Some(11))]));
    let records = [
        ("a", Some(2)),
        ("a", Some(3)),
        ("b", Some(20)),
        ("a", Some(4)),
    ];
    pipe(&mut driver, "in", &records);
    driver.checkpoint().unwrap();
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("all", Some(24))]));
}

#[test]
fn tables_in_a_row_are_emptied_by_one_checkpoint() {
    let mut driver = cached(|builder| {
        let rows = builder.table::<str, i64>("in").named("rows");
        let doubled = rows.map_values(|value| value * 2).named("doubled");
        let doubled = doubled.materialized();
        let large = doubled.filter(|_, value| *value > 10).named("large");
        large.materialized().to_stream().to("out");
    });
    let records = [
        ("a", Some(1)),
        ("a", Some(10)),
        ("b", Some(9)),
        ("a", Some(8)),
    ];
    pipe(&mut driver, "in", &records);
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("b", Some(18)), ("a", Some(16))]));
    let kept = driver.key_value_store::<String, i64>("large").unwrap();
    assert_eq!(kept.len(), 2);
}

#[test]
fn a_table_that_was_materialized_after_the_one_behind_it_is_emptied_before_it() {
    let mut driver = cached(|builder| {
        let rows = builder.table::<String, i64>("in").named("rows");
        let doubled = rows.map_values(|value| value * 2).named("doubled");
        let both = doubled.join(&rows, |doubled, row| doubled + row);
        both.named("both").materialized().to_stream().to("out");
        let _ = doubled.materialized();
    });
    pipe(&mut driver, "in", &[("a", Some(1)), ("a", Some(2))]);
    driver.checkpoint().unwrap();
    // Both sides of the join have come to it first.
    assert_eq!(out(&mut driver), rows([("a", Some(6))]));
}

#[test]
fn look_ups_see_each_update_at_once() {
    let mut driver = cached(|builder| {
        let prices = builder.table::<str, i64>("prices").named("prices");
        let orders = builder.stream::<str, i64>("orders");
        orders
            .join(&prices, |pieces, price| pieces * price)
            .to("out");
    });
    pipe(&mut driver, "prices", &[("pen", Some(1)), ("pen", Some(2))]);
    driver.pipe("orders", "pen", &10_i64).unwrap();
    assert_eq!(out(&mut driver), rows([("pen", Some(20))]));
}

#[test]
fn time_and_headers_are_those_of_the_newest_update() {
    let mut driver = cached(|builder| {
        let rows = builder.table::<String, i64>("in").named("rows");
        rows.to_stream().to("changes");
        let counts = builder.stream::<String, i64>("in-2").group_by_key().count();
        counts.named("counts").to_stream().to("counts");
    });
    let record = |value: Option<i64>, at: i64| {
        let record = TestRecord::new("a".to_owned(), value).at(at);
        record.header("at", at.to_string())
    };
    for (value, at) in [(1, 5), (2, 9), (3, 7)] {
        driver.pipe_record("in", &record(Some(value), at)).unwrap();
        driver
            .pipe_record("in-2", &record(Some(value), at))
            .unwrap();
    }
    driver.checkpoint().unwrap();
    let changes = driver.read::<String, Option<i64>>("changes").unwrap();
    assert_eq!(changes, [record(Some(3), 7)]);
    // An aggregate has the largest time of its records.
    let counts = driver.read::<String, Option<i64>>("counts").unwrap();
    assert_eq!(
        counts,
        [TestRecord {
            timestamp: Some(9),
            ..record(Some(3), 7)
        }]
    );
    driver.pipe_record("in", &record(None, 3)).unwrap();
    driver.checkpoint().unwrap();
    let changes = driver.read::<String, Option<i64>>("changes").unwrap();
    assert_eq!(changes, [record(None, 3)]);
}

#[test]
fn a_full_cache_sends_on_what_was_updated_the_longest_ago() {
    // A row with a key of 200 bytes takes more than 500.
    let keys: Vec<String> = (0..4).map(|n| format!("{n:0200}")).collect();
    let mut driver = cached_in(1_200, |builder| {
        builder.table::<str, i64>("in").to_stream().to("out");
    });
    let [a, b, c, d] = [0, 1, 2, 3].map(|n: usize| keys.get(n).unwrap().as_str());
    let records = [(a, Some(1)), (b, Some(2)), (a, Some(3))];
    pipe(&mut driver, "in", &records);
    assert_eq!(out(&mut driver), []);
    pipe(&mut driver, "in", &[(c, Some(4))]);
    assert_eq!(out(&mut driver), rows([(b, Some(2))]));
    pipe(&mut driver, "in", &[(d, Some(5))]);
    assert_eq!(out(&mut driver), rows([(a, Some(3))]));
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([(c, Some(4)), (d, Some(5))]));
}

#[test]
fn a_record_that_fails_takes_its_update_back() {
    let mut driver = cached(|builder| {
        builder.on_process_error(ErrorPolicy::Skip);
        let input = builder.stream::<str, i64>("in");
        input
            .group_by_key()
            .count()
            .named("counts")
            .to_stream()
            .to("out");
        // Behind the count, in the same task.
        input.for_each(|_, value| assert_ne!(*value, 13));
    });
    pipe(&mut driver, "in", &[("b", Some(1)), ("a", Some(1))]);
    pipe(&mut driver, "in", &[("b", Some(13)), ("c", Some(13))]);
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("b", Some(1)), ("a", Some(1))]));
}

#[test]
fn an_update_that_fails_on_its_way_is_dealt_with_alone() {
    let mut driver = cached(|builder| {
        builder.on_process_error(ErrorPolicy::DeadLetter("dead".to_owned()));
        let rows = builder.table::<String, i64>("in").named("rows").to_stream();
        rows.peek(|_, value| assert_ne!(*value, Some(13))).to("out");
    });
    let records = [("a", Some(1)), ("b", Some(13)), ("c", Some(3))];
    pipe(&mut driver, "in", &records);
    driver.checkpoint().unwrap();
    assert_eq!(out(&mut driver), rows([("a", Some(1)), ("c", Some(3))]));
    let dead: Vec<TestRecord<String, i64>> = driver.read("dead").unwrap();
    let dead: Vec<_> = dead.iter().map(|d| (d.key.as_str(), d.value)).collect();
    assert_eq!(dead, [("b", 13)]);
}

#[test]
fn versions_do_not_wait() {
    let mut driver = cached(|builder| {
        let rows = builder.table::<str, i64>("in");
        let rows = rows.versioned(std::time::Duration::from_secs(60));
        rows.to_stream().to("out");
    });
    pipe(&mut driver, "in", &[("a", Some(1)), ("a", Some(2))]);
    assert_eq!(out(&mut driver), rows([("a", Some(1)), ("a", Some(2))]));
}
