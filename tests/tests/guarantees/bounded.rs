//! Runs with an end: everything that was in the input at the start, also what is not decided yet.

use crate::fixture::{Fixture, SOON};
use streams::Guarantee;
use streams::runtime::{Event, JobHandle};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Sender, TestCluster, wait_until};

/// A bounded run that meets a transaction which is open when it starts, and has done all that is before it.
fn run_into_an_open_transaction(fixture: &mut Fixture<'_>) -> (JobHandle, Sender) {
    fixture.produce(1, 10);
    let writer = Sender::transactional(fixture.cluster, &fixture.cluster.unique("writer"), &[]);
    writer.begin();
    writer.text(&fixture.input, 0, "undecided");
    writer.flush();
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let job = fixture.job(topology).until_latest();
    let handle = fixture.runtime.block_on(job.start()).unwrap();
    wait_until("what is decided is committed", SOON, || {
        fixture.count(|e| matches!(e, Event::Checkpoint(_))) > 0
    });
    (handle, writer)
}

fn texts(fixture: &Fixture<'_>) -> Vec<String> {
    let outputs = fixture.outputs();
    outputs.iter().map(|r| r.text().to_owned()).collect()
}

#[test]
fn a_transaction_that_is_open_at_the_start_is_waited_for() {
    let mut fixture = Fixture::new(1);
    let (handle, writer) = run_into_an_open_transaction(&mut fixture);

    writer.commit();

    fixture.runtime.block_on(handle.join()).unwrap();
    let texts = texts(&fixture);
    assert_eq!(texts.len(), 11);
    assert!(texts.contains(&"undecided".to_owned()));
}

#[test]
fn a_run_ends_when_the_transaction_that_it_waits_for_is_aborted() {
    let mut fixture = Fixture::new(1);
    let (handle, writer) = run_into_an_open_transaction(&mut fixture);

    writer.abort();

    fixture.runtime.block_on(handle.join()).unwrap();
    assert_eq!(texts(&fixture).len(), 10);
}

#[test]
fn under_at_least_once_open_transactions_are_read_as_they_are() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 10);
    let writer = Sender::transactional(fixture.cluster, &fixture.cluster.unique("writer"), &[]);
    writer.begin();
    writer.text(&fixture.input, 0, "undecided");
    writer.flush();
    let builder = fixture.builder();
    builder.guarantee(Guarantee::AtLeastOnce);
    let topology = fixture.mapping(&builder, str::to_owned);

    fixture.run_until_latest(topology).unwrap();

    assert_eq!(texts(&fixture).len(), 11);
    writer.abort();
}

#[test]
fn a_run_ends_when_its_input_is_emptied_before_it_is_read() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 1);
    fixture.produce(1, 10);
    let fetches = kafka.inject(Fault::hold(ApiKey::Fetch).first(1));
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let job = fixture.job(topology).until_latest();
    let handle = fixture.runtime.block_on(job.start()).unwrap();
    assert!(fetches.wait_until_struck(1, SOON));

    fixture.delete_records_before(0, 10);
    fetches.release();

    let joined = fixture
        .runtime
        .block_on(async { tokio::time::timeout(SOON, handle.join()).await });
    joined.unwrap().unwrap();
    assert_eq!(
        fixture.count(|e| matches!(
            e,
            Event::OffsetReset {
                from: 0,
                to: 10,
                ..
            }
        )),
        1
    );
}

#[test]
fn what_another_member_has_done_is_not_waited_for() {
    let mut fixture = Fixture::new(4);
    let copy = |fixture: &Fixture<'_>| fixture.mapping(&fixture.builder(), str::to_owned);
    let other = copy(&fixture);
    let other = fixture.start(other);
    fixture.wait_for_assignment();
    // The marker behind the last record is in no commit of the other member.
    let writer = Sender::transactional(fixture.cluster, &fixture.cluster.unique("writer"), &[]);
    writer.begin();
    for partition in 0..4 {
        writer.text(&fixture.input, partition, "decided");
    }
    writer.commit();
    wait_until("it is copied", SOON, || fixture.outputs().len() >= 4);

    let topology = copy(&fixture);
    let run = fixture.job(topology).until_latest();
    let run = fixture.runtime.block_on(run.start()).unwrap();
    fixture.runtime.block_on(run.join()).unwrap();

    fixture.stop(other);
    assert_eq!(texts(&fixture), ["decided"; 4]);
}

#[test]
fn a_run_starts_while_leaders_move() {
    for error in [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::LeaderNotAvailable,
    ] {
        let kafka = EmbeddedKafka::start().unwrap();
        let cluster = TestCluster::on(&kafka);
        let mut fixture = Fixture::on(&cluster, 4);
        fixture.produce(4, 10);
        let moved = kafka.inject(Fault::fail(ApiKey::ListOffsets, error).first(5));
        let topology = fixture.mapping(&fixture.builder(), str::to_owned);

        fixture.run_until_latest(topology).unwrap();

        assert_eq!(moved.struck().len(), 5, "{error:?}");
        assert_eq!(texts(&fixture).len(), 10);
    }
}
