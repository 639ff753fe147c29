//! Where a job reads, when that is not where the log is: recreated topics, records that are gone, offsets that the group
//! does not have.

use crate::fixture::{Fixture, SOON};
use rdkafka::consumer::Consumer as _;
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};
use streams::OffsetReset;
use streams::runtime::Event;
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Member, Oracle, Sender, TestCluster, wait_until};

#[test]
fn a_topic_that_is_created_again_under_a_running_job_ends_it() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 50);
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    wait_until("the records are committed", SOON, || {
        fixture.outputs().len() == 50
    });

    fixture.recreate_input(1);
    fixture.produce(1, 3);

    let joined = fixture
        .runtime
        .block_on(async { tokio::time::timeout(SOON, handle.join()).await });
    let error = joined.unwrap().unwrap_err().to_string();
    assert!(error.contains(&fixture.input), "{error}");
    assert_eq!(fixture.outputs().len(), 50);
}

#[test]
fn a_committed_offset_beyond_the_end_is_an_error() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 3);
    // Left over from another log of that name, as after an unclean election.
    fixture.commit(0, 50);
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);

    let error = fixture.run_until_latest(topology).unwrap_err().to_string();

    let place = format!("{}-0 is to be read from offset 50", fixture.input);
    assert!(
        error.contains(&place) && error.contains("0 to 3") && error.contains("--reset-offsets"),
        "{error}"
    );
}

/// A job that has read 10 records, whose next 30 are deleted before it comes back; 20 more are there.
fn read_behind_deleted_records(
    fixture: &mut Fixture<'_>,
    reset: OffsetReset,
) -> streams::Result<()> {
    fixture.produce(1, 10);
    let builder = fixture.builder();
    builder.offset_reset(reset);
    let topology = fixture.mapping(&builder, str::to_owned);
    let first = fixture.mapping(&fixture.builder(), str::to_owned);
    fixture.run_until_latest(first)?;
    fixture.produce(1, 50);
    fixture.delete_records_before(0, 40);
    fixture.run_until_latest(topology).map(|_| ())
}

#[test]
fn offsets_that_an_open_transaction_holds_are_waited_for_and_that_is_told() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 20);
    // Longer than the job takes to tell.
    let timeout = ("transaction.timeout.ms", "300000");
    let held = Sender::transactional(fixture.cluster, &fixture.cluster.unique("held"), &[timeout]);
    let member = Member::join(fixture.cluster, &fixture.application, &[], &[]);
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(&fixture.input, 0, Offset::Offset(5))
        .unwrap();
    held.begin();
    let group = member.consumer().group_metadata().unwrap();
    held.producer()
        .send_offsets_to_transaction(&offsets, &group, SOON)
        .unwrap();
    drop(member);
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    let is_told = |e: &Event| matches!(e, Event::Recovering { why, .. } if why.contains("kafka-transactions.sh find-hanging"));
    wait_until("the job tells what it waits for", SOON, || {
        fixture.count(is_told) > 0
    });
    assert_eq!(fixture.outputs().len(), 0);

    held.commit();

    wait_until("the rest is copied", SOON, || fixture.outputs().len() == 15);
    fixture.stop(handle);
    Oracle::exactly_once(&fixture.inputs()[5..], &fixture.outputs());
}

#[test]
fn records_that_are_gone_are_passed_over_and_told() {
    let mut fixture = Fixture::new(1);

    read_behind_deleted_records(&mut fixture, OffsetReset::Earliest).unwrap();

    let reset = |e: &Event| {
        matches!(
            e,
            Event::OffsetReset {
                from: 10,
                to: 40,
                ..
            }
        )
    };
    assert_eq!(fixture.count(reset), 1);
    let mut numbers: Vec<usize> = fixture
        .outputs()
        .iter()
        .map(|r| r.text().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10).chain(40..60).collect::<Vec<_>>());
}

#[test]
fn records_that_are_gone_are_an_error_where_the_reset_says_so() {
    let mut fixture = Fixture::new(1);
    let error = read_behind_deleted_records(&mut fixture, OffsetReset::None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("begins at 40") && error.contains("offset 10"),
        "{error}"
    );
}

#[test]
fn without_a_committed_offset_a_reset_of_none_is_an_error() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 10);
    let builder = fixture.builder();
    builder.offset_reset(OffsetReset::None);
    let topology = fixture.mapping(&builder, str::to_owned);
    let error = fixture.run_until_latest(topology).unwrap_err().to_string();
    assert!(
        error.contains("no committed offset") && error.contains(&format!("{}-0", fixture.input)),
        "{error}"
    );
}

#[test]
fn a_job_that_began_at_the_latest_offset_goes_back_to_where_it_began() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 2);
    fixture.produce(2, 10);
    let before = fixture.inputs().len();
    let builder = fixture.builder();
    builder.offset_reset(OffsetReset::Latest);
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology);
    fixture.wait_for_assignment();
    // The first checkpoint fails: nothing is committed that could be gone back to, and the latest offset is another one.
    let fault =
        kafka.inject(Fault::fail(ApiKey::TxnOffsetCommit, ErrorCode::UnknownMemberId).first(1));
    fixture.produce(2, 40);
    wait_until("everything is committed", SOON, || {
        fixture.outputs().len() >= 40
    });
    fixture.stop(handle);

    assert_eq!(fault.struck().len(), 1);
    let new: Vec<_> = fixture
        .inputs()
        .into_iter()
        .filter(|r| r.text().parse::<usize>().unwrap() >= before)
        .collect();
    Oracle::exactly_once(&new, &fixture.outputs());
}
