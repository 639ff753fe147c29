//! Producers that are fenced, members that come and go.

use crate::fixture::{Fixture, SOON};
use streams::runtime::Event;
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Oracle, Sender, TestCluster, wait_until};

#[test]
fn a_fenced_thread_goes_on_with_a_new_producer() {
    let mut fixture = Fixture::new(2);
    let builder = fixture.builder();
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology);
    fixture.produce(2, 500);
    wait_until("something is committed", SOON, || {
        !fixture.outputs().is_empty()
    });

    let id = fixture.transactional_id();
    // Another producer takes the transactional id over, as a second process with a copied state directory would.
    let usurper = Sender::transactional(fixture.cluster, &id, &[]);
    fixture.produce(2, 500);
    wait_until("everything is committed", SOON, || {
        fixture.outputs().len() >= 1_000
    });
    let summary = fixture.stop(handle);
    drop(usurper);

    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert!(summary.recoveries > 0, "{summary:?}");
    assert!(fixture.count(|e| matches!(e, Event::ProducerReady { .. })) >= 2);
}

#[test]
fn members_that_come_and_go_lose_and_double_nothing() {
    let mut fixture = Fixture::new(4);
    let copy = |fixture: &Fixture| fixture.mapping(&fixture.builder(), str::to_owned);
    let (first, second) = (copy(&fixture), copy(&fixture));
    let one = fixture.start(first);
    fixture.produce(4, 2_000);
    let two = fixture.start(second);
    wait_until("both members have partitions", SOON, || {
        fixture.count(|e| matches!(e, Event::Assigned { partitions, .. } if partitions.len() == 2))
            >= 2
    });
    fixture.produce(4, 2_000);
    fixture.stop(one);
    fixture.produce(4, 2_000);
    wait_until("everything is committed", SOON, || {
        fixture.outputs().len() >= 6_000
    });
    fixture.stop(two);

    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert_eq!(fixture.count(|e| matches!(e, Event::Recovering { .. })), 0);
}

#[test]
fn a_fenced_producer_is_replaced_although_the_first_replacements_fail() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    fixture.produce(2, 100);
    wait_until("something is committed", SOON, || {
        !fixture.outputs().is_empty()
    });
    let id = fixture.transactional_id();
    let _usurper = Sender::transactional(&cluster, &id, &[]);
    // Producers that could not start.
    let faults = [ErrorCode::UnknownServerError, ErrorCode::InvalidTxnState].map(|code| {
        kafka.inject(
            Fault::fail(ApiKey::InitProducerId, code)
                .transactional_id(&id)
                .first(2),
        )
    });
    fixture.produce(2, 100);
    wait_until("everything is committed", SOON, || {
        fixture.outputs().len() >= 200
    });
    fixture.stop(handle);

    assert!(faults.iter().any(|fault| !fault.struck().is_empty()));
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
}

#[test]
fn partitions_that_are_added_to_the_input_are_read() {
    let mut fixture = Fixture::new(1);
    fixture.properties = vec![("topic.metadata.refresh.interval.ms", "200")];
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    fixture.produce(1, 100);
    wait_until("it is copied", SOON, || fixture.outputs().len() >= 100);

    fixture.cluster.grow(&fixture.input, 3).unwrap();
    fixture.produce(3, 300);
    wait_until("all is copied", SOON, || fixture.outputs().len() >= 400);

    let summary = fixture.stop(handle);
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert_eq!(summary.recoveries, 0);
}
