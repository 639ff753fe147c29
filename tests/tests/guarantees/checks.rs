//! A job that is checked against a cluster that is slow.

use crate::fixture::Fixture;
use std::time::{Duration, Instant};
use streams_broker::{ApiKey, EmbeddedKafka, Fault};
use streams_tests::TestCluster;

/// The coordinator of the group, whose permissions are asked for, is found later than the client waits for an answer: librdkafka
/// asks again, and the process goes on.
#[test]
fn a_check_outlives_a_coordinator_that_is_found_late() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    fixture.properties = vec![("socket.timeout.ms", "1000"), ("client.id", "a")];
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let job = fixture.job(topology);
    let late = Fault::delay(ApiKey::FindCoordinator, Duration::from_millis(1_500));
    let late = kafka.inject(late.client_id("a-admin").first(1));
    let began = Instant::now();
    fixture.runtime.block_on(job.check()).unwrap();
    assert_eq!(late.struck().len(), 1);
    // It was waited for.
    assert!(began.elapsed() >= Duration::from_secs(1));
}

/// It does not come at all: the check goes on without, and its client ends with the question open.
#[test]
fn a_check_outlives_a_coordinator_that_is_not_found() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    fixture.properties = vec![("client.id", "a")];
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let job = fixture.job(topology);
    let silent = kafka.inject(Fault::hold_answer(ApiKey::FindCoordinator).client_id("a-admin"));
    fixture.runtime.block_on(job.check()).unwrap();
    assert!(!silent.struck().is_empty());
    silent.release();
}
