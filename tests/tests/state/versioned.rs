//! A versioned table on Kafka: its history outlives restarts and the loss of the state directory.

use rdkafka::producer::BaseRecord;
use std::time::Duration;
use streams::prelude::*;
use streams_tests::{ReadRecord, Sender, wait_until};

use crate::fixture::{Counting, SOON};

const HISTORY: Duration = Duration::from_secs(3_600);

struct Sales {
    job: Counting,
    prices: String,
    dead: String,
}

impl Sales {
    fn new() -> Self {
        let job = Counting::new(1);
        let prices = job.cluster.topic("prices", 1);
        let dead = job.cluster.topic("dead", 1);
        Self { job, prices, dead }
    }

    /// Orders by the price of their time.
    fn topology(&self, grace: Option<Duration>) -> Topology {
        let builder = TopologyBuilder::new(&self.job.application);
        builder.checkpoint_interval(Duration::from_millis(200));
        builder.on_process_error(ErrorPolicy::DeadLetter(self.dead.clone()));
        builder.on_produce_error(ErrorPolicy::DeadLetter(self.dead.clone()));
        let prices = builder
            .table::<String, String>(&self.prices)
            .named("prices");
        let prices = prices.versioned(HISTORY);
        let orders = builder.stream::<String, String>(&self.job.input);
        let sold = |order: &String, price: &String| {
            assert_ne!(order, "panic", "as it was told");
            match order.as_str() {
                "huge" => price.repeat(2_000_000),
                order => format!("{order} at {price}"),
            }
        };
        let sales = match grace {
            Some(grace) => orders.join_with_grace(&prices, grace, sold),
            None => orders.join(&prices, sold),
        };
        sales.named("sales").to(&self.job.output);
        self.job.configured(&builder, |_| ())
    }

    fn send(&self, topic: &str, records: &[(&str, i64)]) {
        let sender = Sender::new(self.job.cluster, &[("enable.idempotence", "true")]);
        for (value, at) in records {
            sender.send(
                BaseRecord::to(topic)
                    .key("pen")
                    .payload(*value)
                    .timestamp(*at),
            );
        }
        sender.flush();
    }

    /// What was sold behind the first sales.
    fn sold_after(&self, first: usize) -> Vec<String> {
        self.sold().split_off(first)
    }

    fn sold(&self) -> Vec<String> {
        self.values(&self.job.output)
    }

    fn values(&self, topic: &str) -> Vec<String> {
        let text = |record: ReadRecord| String::from_utf8(record.value.unwrap()).unwrap();
        let records = self.job.cluster.read_committed(topic);
        records.into_iter().map(text).collect()
    }
}

/// In milliseconds of today, so that no topic lets go of a record by its age.
fn minute(minute: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let day = 24 * 60 * 60 * 1_000;
    let today = i64::try_from(now.unwrap().as_millis()).unwrap() / day * day;
    today - day + minute * 60 * 1_000
}

#[test]
fn the_past_of_a_table_outlives_a_restart_and_the_loss_of_its_directory() {
    let mut sales = Sales::new();
    sales.send(
        &sales.prices,
        &[("3", minute(0)), ("5", minute(20)), ("4", minute(10))],
    );
    sales.job.run(sales.topology(None)).unwrap();
    sales.send(
        &sales.job.input,
        &[("a", minute(5)), ("b", minute(15)), ("c", minute(25))],
    );
    sales.job.run(sales.topology(None)).unwrap();
    assert_eq!(sales.sold(), ["a at 3", "b at 4", "c at 5"]);
    assert_eq!(sales.job.take_restored(), 0, "nothing was lost yet");

    sales.job.directory = tempfile::tempdir().unwrap();
    sales.send(
        &sales.job.input,
        &[("d", minute(5)), ("e", minute(15)), ("f", minute(25))],
    );
    sales.job.run(sales.topology(None)).unwrap();
    assert_eq!(sales.sold_after(3), ["d at 3", "e at 4", "f at 5"]);
    assert!(sales.job.take_restored() > 0);

    // What time the store has seen was restored too: this is older than the history, and refused.
    sales.job.directory = tempfile::tempdir().unwrap();
    sales.send(&sales.prices, &[("6", minute(90))]);
    sales.job.run(sales.topology(None)).unwrap();
    sales.job.directory = tempfile::tempdir().unwrap();
    sales.send(&sales.prices, &[("2", minute(29))]);
    sales.job.run(sales.topology(None)).unwrap();
    sales.send(&sales.job.input, &[("g", minute(35)), ("h", minute(95))]);
    sales.job.run(sales.topology(None)).unwrap();
    assert_eq!(sales.sold_after(6), ["g at 5", "h at 6"]);
}

#[test]
fn a_record_that_waits_for_the_table_survives_each_kind_of_restart() {
    let mut sales = Sales::new();
    let grace = Some(Duration::from_secs(600));
    let waiting: Vec<String> = (0..4).map(|n| format!("order-{n}")).collect();
    for (n, order) in waiting.iter().enumerate() {
        sales.send(&sales.job.input, &[(order, minute(n as i64))]);
        let running = sales.job.start(sales.topology(grace));
        sales.job.wait_until_counted();
        sales.job.stop(running);
        if n % 2 == 1 {
            sales.job.directory = tempfile::tempdir().unwrap();
        }
    }
    assert_eq!(sales.sold(), [""; 0]);

    // The prices come after the orders; then a record that lets all of them go.
    sales.send(&sales.prices, &[("3", minute(0)), ("4", minute(2))]);
    sales.job.run(sales.topology(grace)).unwrap();
    sales.send(&sales.job.input, &[("last", minute(30))]);
    let running = sales.job.start(sales.topology(grace));
    wait_until("all orders are sold", SOON, || {
        sales.sold().len() == waiting.len()
    });
    sales.job.stop(running);
    let expected: Vec<String> = waiting
        .iter()
        .zip(["3", "3", "4", "4"])
        .map(|(o, p)| format!("{o} at {p}"))
        .collect();
    assert_eq!(sales.sold(), expected);
}

#[test]
fn a_record_that_has_waited_and_fails_is_a_dead_letter_alone() {
    let sales = Sales::new();
    let grace = Some(Duration::from_secs(600));
    sales.send(&sales.prices, &[("3", minute(0))]);
    sales.job.run(sales.topology(grace)).unwrap();
    let orders = ["one", "panic", "two", "huge", "three"];
    for (n, order) in orders.iter().enumerate() {
        sales.send(&sales.job.input, &[(order, minute(n as i64))]);
    }
    // The first of these lets go of all before it, the second of the first.
    sales.send(
        &sales.job.input,
        &[("four", minute(30)), ("five", minute(60))],
    );
    let running = sales.job.start(sales.topology(grace));
    wait_until("what is good is sold", SOON, || sales.sold().len() >= 4);
    sales.job.stop(running);
    let expected = ["one at 3", "two at 3", "three at 3", "four at 3"];
    assert_eq!(sales.sold(), expected);
    assert_eq!(sales.values(&sales.dead), ["panic", "huge"]);
}
