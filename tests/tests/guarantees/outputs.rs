//! Outputs that cannot be written: too large, or for a topic that is not there.

use crate::fixture::{Fixture, SOON};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::producer::BaseRecord;
use std::time::Duration;
use streams::ByType;
use streams::prelude::*;
use streams::runtime::Event;
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Oracle, ReadRecord, Sender, TestCluster, wait_until};

/// An output topic that takes batches of at most 1,000 bytes, which is less than a job's batches would have.
fn small_output(fixture: &mut Fixture<'_>) {
    fixture.output = fixture.cluster.unique("small");
    let topic = NewTopic::new(&fixture.output, 1, TopicReplication::Fixed(1))
        .set("max.message.bytes", "1000")
        .set("retention.ms", "-1");
    fixture.cluster.create(&topic).unwrap();
}

/// Numbers that end in 7 become 2,000 bytes long.
fn grow(text: &str) -> String {
    if text.ends_with('7') {
        "7".repeat(2_000)
    } else {
        text.to_owned()
    }
}

fn without_sevens(records: Vec<ReadRecord>) -> Vec<ReadRecord> {
    let keep = |r: &ReadRecord| !r.text().ends_with('7');
    records.into_iter().filter(keep).collect()
}

#[test]
fn a_recovery_names_the_reason_of_the_record_that_failed_first() {
    let kafka = EmbeddedKafka::start().unwrap();
    let cluster = TestCluster::on(&kafka);
    let mut fixture = Fixture::on(&cluster, 1);
    let topology = fixture.mapping(&fixture.builder(), |text| {
        // The refusal is there before the batch is processed.
        std::thread::sleep(Duration::from_millis(1));
        text.to_owned()
    });
    fixture.produce(1, 500);
    let fault = kafka.inject(
        Fault::fail(ApiKey::Produce, ErrorCode::PolicyViolation)
            .topic(&fixture.output)
            .first(1),
    );

    fixture.run_until_latest(topology).unwrap();

    assert_eq!(fault.struck().len(), 1);
    let events = fixture.events.lock().unwrap().clone();
    let first = events.iter().find_map(|event| match event {
        Event::Recovering { why, .. } => Some(why.as_str()),
        _ => None,
    });
    assert!(first.unwrap().contains("Policy violation"), "{first:?}");
    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
}

#[test]
fn a_record_that_is_too_large_for_its_topic_is_skipped_alone() {
    let mut fixture = Fixture::new(1);
    small_output(&mut fixture);
    fixture.produce(1, 500);
    let builder = fixture.builder();
    builder.on_produce_error(ErrorPolicy::Skip);
    let topology = fixture.mapping(&builder, grow);

    let summary = fixture.run_until_latest(topology).unwrap();

    assert_eq!(
        summary.recoveries,
        0,
        "{:?}",
        fixture.events.lock().unwrap()
    );
    Oracle::exactly_once(&without_sevens(fixture.inputs()), &fixture.outputs());
    let failed =
        |e: &Event| matches!(e, Event::RecordFailed { what, .. } if what.contains("bytes"));
    assert_eq!(fixture.count(failed), 50);
}

#[test]
fn a_record_that_is_too_large_ends_the_job_and_names_everything() {
    let mut fixture = Fixture::new(1);
    small_output(&mut fixture);
    fixture.produce(1, 20);
    let topology = fixture.mapping(&fixture.builder(), grow);

    let error = fixture.run_until_latest(topology).unwrap_err().to_string();

    let place = format!("offset 7 of {}-0", fixture.input);
    for part in [
        &place,
        &fixture.output,
        "2087 bytes",
        "at most 1000",
        "max.message.bytes",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_dead_letter_that_is_too_large_ends_the_job_and_names_everything() {
    let mut fixture = Fixture::new(1);
    let there = fixture.output.clone();
    small_output(&mut fixture);
    let dead = std::mem::replace(&mut fixture.output, there);
    let builder = fixture.builder();
    builder.on_process_error(ErrorPolicy::DeadLetter(dead.clone()));
    let topology = fixture.mapping(&builder, |_| panic!("not this one"));
    let sender = Sender::new(fixture.cluster, &[]);
    sender.text(&fixture.input, 0, &"7".repeat(2_000));
    sender.flush();

    let error = fixture.run_until_latest(topology).unwrap_err().to_string();

    let place = format!("offset 0 of {}-0", fixture.input);
    for part in [
        &place,
        "not this one",
        &dead,
        "at most 1000",
        "max.message.bytes",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_record_for_a_chosen_topic_that_does_not_exist_goes_to_the_dead_letters() {
    goes_to_the_dead_letters(Fixture::new(1));
}

#[test]
fn brokers_that_make_topics_on_demand_make_none_for_a_job() {
    let cluster = TestCluster::start_with(&[("auto.create.topics.enable", "true")]);
    goes_to_the_dead_letters(Fixture::on(&cluster, 1));
}

#[track_caller]
fn goes_to_the_dead_letters(mut fixture: Fixture<'_>) {
    let dead = fixture.cluster.topic("dead", 1);
    fixture.produce(1, 100);
    let (there, missing) = (fixture.output.clone(), fixture.cluster.unique("missing"));
    let builder = fixture.builder();
    builder.on_produce_error(ErrorPolicy::DeadLetter(dead.clone()));
    let text: KStream<Keyless, str> =
        builder.source(&fixture.input, streams::ByType, streams::ByType);
    text.to_dynamic(move |_, text| {
        if text.ends_with('7') {
            missing.clone()
        } else {
            there.clone()
        }
    });

    fixture.run_until_latest(builder.build()).unwrap();

    Oracle::exactly_once(&without_sevens(fixture.inputs()), &fixture.outputs());
    let letters = fixture.cluster.read_committed(&dead);
    assert_eq!(letters.len(), 10);
    assert!(letters.iter().all(|r| r.text().ends_with('7')));
}

#[test]
fn the_topic_that_a_failed_record_chose_is_not_opened_later() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 100);
    let (there, missing) = (fixture.output.clone(), fixture.cluster.unique("missing"));
    let builder = fixture.builder();
    builder.on_process_error(ErrorPolicy::Skip);
    let text: KStream<Keyless, str> =
        builder.source(&fixture.input, streams::ByType, streams::ByType);
    text.clone().to_dynamic(move |_, text| {
        if text.ends_with('7') {
            missing.clone()
        } else {
            there.clone()
        }
    });
    // The record has chosen its topic when it fails.
    text.for_each(|_, text| assert!(!text.ends_with('7'), "seven"));

    fixture.run_until_latest(builder.build()).unwrap();

    Oracle::exactly_once(&without_sevens(fixture.inputs()), &fixture.outputs());
}

#[test]
fn an_output_that_grows_is_keyed_as_other_clients_key_it() {
    let mut fixture = Fixture::new(1);
    fixture.properties = vec![("topic.metadata.refresh.interval.ms", "100")];
    fixture.output = fixture.cluster.topic("grows", 1);
    let builder = fixture.builder();
    let input: KStream<str, str> = builder.source(&fixture.input, ByType, ByType);
    input.to(&fixture.output);
    let handle = fixture.start(builder.build());
    let sender = Sender::new(fixture.cluster, &[]);
    let produce = || {
        for number in 0..10 {
            let key = format!("key-{number}");
            sender.send(
                BaseRecord::to(&fixture.input)
                    .partition(0)
                    .key(&key)
                    .payload("x"),
            );
        }
        sender.flush();
    };
    produce();
    wait_until("it is copied", SOON, || fixture.outputs().len() >= 10);
    assert!(fixture.outputs().iter().all(|r| r.partition == 0));

    fixture.cluster.grow(&fixture.output, 4).unwrap();

    wait_until("the new partitions are written to", SOON, || {
        produce();
        fixture.outputs().iter().any(|r| r.partition > 0)
    });
    fixture.stop(handle);
}
