//! How a job ends, in order and otherwise.

use crate::fixture::{Fixture, SOON};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use streams::runtime::JobState;
use streams_broker::{ApiKey, EmbeddedKafka, Fault};
use streams_tests::{Isolation, Oracle, Sender, TestCluster, wait_until};

#[test]
fn a_stopped_job_stops_soon_when_there_is_nothing_to_do() {
    let mut fixture = Fixture::new(1);
    let builder = fixture.builder();
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology);
    fixture.wait_for_assignment();

    let stopping = Instant::now();
    let summary = fixture.stop(handle);

    assert!(
        stopping.elapsed() < Duration::from_secs(10),
        "{:?}",
        stopping.elapsed()
    );
    assert_eq!(summary.checkpoints, 0, "an empty transaction was committed");
}

#[test]
fn a_job_that_fails_says_so_while_nobody_waits_for_its_end() {
    let mut fixture = Fixture::new(1);
    let builder = fixture.builder();
    let topology = fixture.mapping(&builder, |text| match text {
        "0" => panic!("as it was told"),
        text => text.to_owned(),
    });
    let handle = fixture.start(topology);
    fixture.produce(1, 1);
    wait_until("it does not run any more", SOON, || {
        handle.state() != JobState::Running
    });
    assert_eq!(handle.state(), JobState::Stopping);
    assert!(fixture.fail(handle).contains("as it was told"));
}

#[test]
fn slow_user_code_cannot_let_a_transaction_time_out() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 120);
    let builder = fixture.builder();
    builder.transaction_timeout(Duration::from_secs(3));
    builder.checkpoint_interval(Duration::from_millis(2_900));
    // All records come in one batch, which takes twice the transaction's timeout.
    let topology = fixture.mapping(&builder, |text| {
        std::thread::sleep(Duration::from_millis(50));
        text.to_owned()
    });

    let summary = fixture.run_until_latest(topology).unwrap();

    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert_eq!(
        summary.recoveries,
        0,
        "{:?}",
        fixture.events.lock().unwrap()
    );
    assert!(summary.checkpoints >= 3, "{summary:?}");
}

/// Copies what was produced while brokers take on a batch of 1 MB at the most each 200 ms, so that all of it takes longer than a
/// transaction may.
fn copy_slowly(produce: impl FnOnce(&mut Fixture<'_>)) {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 1);
    produce(&mut fixture);
    let slow = Fault::delay(ApiKey::Produce, Duration::from_millis(200));
    let slow = kafka.inject(slow.topic(&fixture.output));
    let builder = fixture.builder();
    builder.transaction_timeout(Duration::from_secs(3));
    builder.checkpoint_interval(Duration::from_millis(2_900));
    let topology = fixture.mapping(&builder, str::to_owned);

    let summary = fixture.run_until_latest(topology).unwrap();

    assert!(!slow.struck().is_empty());
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    let events = fixture.events.lock().unwrap();
    assert_eq!(summary.recoveries, 0, "{events:?}");
    assert!(summary.checkpoints >= 3, "{summary:?}");
}

#[test]
fn a_burst_that_brokers_take_on_slowly_cannot_let_a_transaction_time_out() {
    copy_slowly(|fixture| fixture.produce_long(60_000, 500));
}

#[test]
fn what_is_in_headers_cannot_let_a_transaction_time_out_either() {
    copy_slowly(|fixture| fixture.produce_with_headers(60_000, 500));
}

#[test]
fn a_full_queue_of_the_producer_is_waited_for() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 1);
    // Holds a tenth of what is to be written.
    fixture.properties = vec![("queue.buffering.max.kbytes", "1000")];
    fixture.produce_long(20_000, 500);
    let slow = Fault::delay(ApiKey::Produce, Duration::from_millis(100));
    kafka.inject(slow.topic(&fixture.output));
    let builder = fixture.builder();
    builder.checkpoint_interval(Duration::from_secs(30));
    let topology = fixture.mapping(&builder, str::to_owned);

    let summary = fixture.run_until_latest(topology).unwrap();

    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    let events = fixture.events.lock().unwrap();
    assert_eq!(
        (summary.recoveries, summary.checkpoints),
        (0, 1),
        "{events:?}"
    );
}

#[test]
fn a_bounded_run_ends_while_records_keep_coming() {
    let mut fixture = Fixture::new(2);
    fixture.produce(2, 100);
    let end = Arc::new(AtomicBool::new(false));
    let feeder = {
        let (end, input) = (Arc::clone(&end), fixture.input.clone());
        std::thread::spawn(move || {
            let sender = Sender::new(TestCluster::shared(), &[]);
            while !end.load(Ordering::Relaxed) {
                sender.text(&input, 0, "more");
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let builder = fixture.builder();
    // Never as fast as they come.
    let topology = fixture.mapping(&builder, |text| {
        std::thread::sleep(Duration::from_millis(5));
        text.to_owned()
    });

    let began = Instant::now();
    let summary = fixture.run_until_latest(topology).unwrap();

    let took = began.elapsed();
    end.store(true, Ordering::Relaxed);
    feeder.join().unwrap();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(summary.processed >= 100, "{summary:?}");
}

#[test]
fn slow_user_code_does_not_cost_the_membership() {
    let mut fixture = Fixture::new(1);
    fixture.properties = vec![
        ("session.timeout.ms", "6000"),
        ("max.poll.interval.ms", "6000"),
    ];
    fixture.produce(1, 100);
    // All records come in one batch, which takes longer than a member may be silent.
    let topology = fixture.mapping(&fixture.builder(), |text| {
        std::thread::sleep(Duration::from_millis(100));
        text.to_owned()
    });

    let summary = fixture.run_until_latest(topology).unwrap();

    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    let events = fixture.events.lock().unwrap();
    assert_eq!(summary.recoveries, 0, "{events:?}");
}

#[test]
fn a_job_that_is_stopped_while_the_broker_is_frozen_ends_soon_and_says_what_holds() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    fixture.produce(2, 100);
    let builder = fixture.builder();
    builder.checkpoint_interval(Duration::from_secs(50));
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology.clone());
    wait_until("the outputs are written", SOON, || {
        let ends = cluster.end_offsets(&fixture.output, Isolation::Uncommitted);
        ends.iter().sum::<i64>() >= 100
    });

    kafka.pause();
    let stopping = Instant::now();
    handle.stop();
    let error = fixture.runtime.block_on(handle.join()).unwrap_err();
    let took = stopping.elapsed();

    assert!(took < Duration::from_secs(20), "{took:?}");
    let error = error.to_string();
    assert!(
        error.contains("stopped without a last checkpoint"),
        "{error}"
    );
    kafka.resume();
    let job = fixture.job_in(fixture.directories[0].path(), topology);
    fixture.runtime.block_on(job.until_latest().run()).unwrap();
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
}
