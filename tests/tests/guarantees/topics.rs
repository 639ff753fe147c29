//! Topics that the brokers cannot tell of for a while.

use crate::fixture::{Fixture, SOON};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Oracle, TestCluster, wait_until};

#[test]
fn a_topic_without_a_leader_at_the_start_is_read_when_it_has_one() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    fixture.properties = vec![("client.id", "job")];
    fixture.produce(2, 100);
    let leaderless = kafka.inject(
        Fault::fail(ApiKey::Metadata, ErrorCode::LeaderNotAvailable).client_id("job-0-consumer"),
    );
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    // Not only while the member joins, which asks a few times at once.
    wait_until("it asks again", SOON, || {
        let asked = leaderless.struck();
        let times = asked.first().zip(asked.last());
        times.is_some_and(|(first, last)| last.at > first.at + 1_000)
    });
    leaderless.end();
    wait_until("it is copied", SOON, || fixture.outputs().len() >= 100);
    let summary = fixture.stop(handle);
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert_eq!(summary.recoveries, 0);
}

#[test]
fn a_source_topic_that_is_deleted_is_named() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 10);
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    wait_until("it is copied", SOON, || fixture.outputs().len() >= 10);
    fixture.cluster.delete_topic(&fixture.input).unwrap();
    let error = fixture.runtime.block_on(handle.join()).unwrap_err();
    let expected = format!("the topic `{}` is not there", fixture.input);
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn a_connection_that_is_cut_while_the_topics_are_asked_for_delays_the_start() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    fixture.properties = vec![
        ("client.id", "job"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "100"),
    ];
    fixture.produce(2, 100);
    // Behind the first contact, which waits for brokers that come up.
    let cut = |nth| {
        Fault::cut_before(ApiKey::Metadata)
            .client_id("job-admin")
            .nth(nth)
    };
    let cuts: Vec<_> = (3..=12).map(|nth| kafka.inject(cut(nth))).collect();
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    assert!(cuts.iter().any(|cut| !cut.struck().is_empty()));
    wait_until("it is copied", SOON, || fixture.outputs().len() >= 100);
    fixture.stop(handle);
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
}
