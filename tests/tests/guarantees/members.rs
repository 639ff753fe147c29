//! Producers that are fenced, members that come and go.

use crate::fixture::{Fixture, SOON};
use std::time::Duration;
use streams::runtime::{Event, JobHandle};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault, Injected};
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
    come_and_go(Fixture::new(4), 2);
}

/// KIP-848: the brokers tell each member what it gains and what it loses.
#[test]
fn members_of_a_group_that_the_brokers_assign_lose_and_double_nothing() {
    let mut fixture = Fixture::new(4);
    fixture.properties = vec![("group.protocol", "consumer")];
    // The first one keeps its two without being told of them again.
    come_and_go(fixture, 1);
}

#[track_caller]
fn come_and_go(mut fixture: Fixture<'_>, told_of_two: usize) {
    let copy = |fixture: &Fixture| fixture.mapping(&fixture.builder(), str::to_owned);
    let (first, second) = (copy(&fixture), copy(&fixture));
    let one = fixture.start(first);
    fixture.produce(4, 2_000);
    let two = fixture.start(second);
    wait_until("both members have partitions", SOON, || {
        fixture.count(|e| matches!(e, Event::Assigned { partitions, .. } if partitions.len() == 2))
            >= told_of_two
    });
    fixture.produce(4, 2_000);
    fixture.stop(one);
    fixture.produce(4, 2_000);
    // A static member's partitions are idle until its session is over, 45 s where the brokers decide it.
    wait_until("everything is committed", 3 * SOON, || {
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

/// A member that is slow to take on what it was given, and while it is, its group deals anew: librdkafka joins again
/// without asking for partitions that were not taken on yet.
struct Overtaken<'a> {
    kafka: &'a EmbeddedKafka,
    fixture: Fixture<'a>,
    /// What it waits for: nothing is committed, so it asks where the logs begin.
    beginnings: Injected,
    one: JobHandle,
}

const ONE: &str = "one-0-consumer";

impl<'a> Overtaken<'a> {
    /// The member has been told of the four partitions that there are.
    fn new(kafka: &'a EmbeddedKafka, cluster: &'a TestCluster) -> Self {
        let mut fixture = Fixture::on(cluster, 4);
        fixture.produce(4, 400);
        let beginnings = kafka
            .inject(Fault::fail(ApiKey::ListOffsets, ErrorCode::LeaderNotAvailable).client_id(ONE));
        // Long enough that its first checkpoint has all that there is.
        fixture.properties = vec![("topic.metadata.refresh.interval.ms", "200")];
        let one = start_as(&mut fixture, "one", Duration::from_secs(3));
        assert!(beginnings.wait_until_struck(1, SOON));
        Self {
            kafka,
            fixture,
            beginnings,
            one,
        }
    }

    /// Another member comes, and a fifth partition. Returns when that member has its part.
    fn deal_anew(&mut self) -> JobHandle {
        let joins = |client| Fault::observe(ApiKey::JoinGroup).client_id(client);
        let [one, two] = [ONE, "two-0-consumer"].map(|client| self.kafka.inject(joins(client)));
        // It would look for more partitions in minutes only: it learns of the fifth when it is given that.
        self.fixture.properties.clear();
        let second = start_as(&mut self.fixture, "two", Duration::from_millis(200));
        assert!(two.wait_until_struck(1, SOON));
        self.fixture.cluster.grow(&self.fixture.input, 5).unwrap();
        assert!(one.wait_until_struck(1, SOON));
        self.wait_for_parts(1);
        second
    }

    /// Waits until so many members have a part of the five.
    fn wait_for_parts(&self, members: usize) {
        let is_part =
            |e: &Event| matches!(e, Event::Assigned { partitions, .. } if partitions.len() <= 3);
        wait_until("each has its part", SOON, || {
            self.fixture.count(is_part) >= members
        });
    }

    /// More is written, and all is copied once.
    fn go_on(mut self, second: JobHandle) {
        self.fixture.produce(5, 500);
        wait_until("everything is committed", SOON, || {
            self.fixture.outputs().len() >= 900
        });
        for handle in [self.one, second] {
            self.fixture.stop(handle);
        }
        Oracle::exactly_once(&self.fixture.inputs(), &self.fixture.outputs());
    }
}

/// Starts a member that copies, and whose clients have this name.
fn start_as(fixture: &mut Fixture<'_>, name: &'static str, interval: Duration) -> JobHandle {
    let names = [("client.id", name), ("heartbeat.interval.ms", "100")];
    fixture.properties.extend(names);
    let builder = fixture.builder();
    builder.checkpoint_interval(interval);
    let topology = fixture.mapping(&builder, str::to_owned);
    fixture.start(topology)
}

#[test]
fn an_assignment_that_another_one_overtakes_is_given_up() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut job = Overtaken::new(&kafka, &cluster);
    let two = job.deal_anew();
    job.beginnings.end();
    job.wait_for_parts(2);
    job.go_on(two);
}

#[test]
fn what_was_processed_for_an_overtaken_assignment_is_not_committed() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut job = Overtaken::new(&kafka, &cluster);
    // It is a member of the new generation already, and does not know yet what it has in it.
    let part = kafka.inject(Fault::hold_answer(ApiKey::SyncGroup).client_id(ONE));
    let two = job.deal_anew();
    let commits = Fault::observe(ApiKey::TxnOffsetCommit).client_id("one-0-producer");
    let commits = kafka.inject(commits);
    job.beginnings.end();
    assert!(commits.wait_until_struck(1, SOON));
    part.release();
    job.wait_for_parts(2);
    job.go_on(two);
}

#[test]
fn a_session_timeout_that_the_brokers_do_not_take_ends_the_job() {
    let mut fixture = Fixture::new(1);
    // They take half an hour at the most, by default.
    fixture.properties = vec![
        ("session.timeout.ms", "3600000"),
        ("max.poll.interval.ms", "3600000"),
    ];
    let topology = fixture.mapping(&fixture.builder(), str::to_owned);
    let handle = fixture.start(topology);
    let ended = async { tokio::time::timeout(SOON, handle.join()).await };
    // By itself, and soon.
    let ended = fixture.runtime.block_on(ended).unwrap();
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("group.max.session.timeout.ms"), "{error}");
}
