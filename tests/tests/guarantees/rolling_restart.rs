//! A cluster whose nodes are restarted one after the other, as when it is upgraded.

use crate::fixture::{Fixture, SOON};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use streams_tests::{Oracle, Sender, TestCluster, wait_until};

const PARTITIONS: i32 = 3;

/// Each of three nodes.
const RESTARTS: usize = 3;

#[test]
fn a_job_outlives_the_restart_of_each_node() {
    let cluster = TestCluster::start_replicated();
    if !cluster.is_own() {
        println!("a cluster that was there before is not restarted");
        return;
    }
    let mut fixture = Fixture::on(&cluster, PARTITIONS);
    let builder = fixture.builder();
    builder.stream_threads(3);
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology);
    fixture.wait_for_assignment();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| write_until(&cluster, &fixture.input, &is_over));
        let _over = SetAtTheEnd(&is_over);
        for _ in 0..RESTARTS {
            cluster.restart();
            // A checkpoint that was begun in the meantime is through, or another one is.
            let before = fixture.outputs().len();
            wait_until("the job goes on", SOON, || fixture.outputs().len() > before);
        }
    });
    let inputs = fixture.inputs();
    wait_until("all is copied", SOON, || {
        fixture.outputs().len() >= inputs.len()
    });
    fixture.stop(handle);
    Oracle::exactly_once(&inputs, &fixture.outputs());
}

/// Ends the writer, also where the test fails.
struct SetAtTheEnd<'a>(&'a AtomicBool);

impl Drop for SetAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn write_until(cluster: &TestCluster, topic: &str, is_over: &AtomicBool) {
    let sender = Sender::new(cluster, &[("enable.idempotence", "true")]);
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS {
            sender.text(topic, partition, &number.to_string());
            number += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    sender.flush();
}
