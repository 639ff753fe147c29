//! What becomes of records: user code that fails, order, partitions.

use crate::fixture::Fixture;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use std::time::Duration;
use streams::prelude::*;
use streams::runtime::Event;
use streams_tests::{Oracle, ReadRecord, Sender};

/// The last digit of a numbered record's text, by which user code here chooses its victims.
fn ends_with(text: &str, digit: char) -> bool {
    text.ends_with(digit)
}

#[test]
fn a_panic_fails_its_record_alone() {
    let mut fixture = Fixture::new(3);
    fixture.produce(3, 2_000);
    let builder = fixture.builder();
    builder.on_process_error(ErrorPolicy::Skip);
    let topology = fixture.mapping(&builder, |text| {
        if ends_with(text, '7') {
            panic!("seven")
        } else {
            text.to_owned()
        }
    });

    fixture.run_until_latest(topology).unwrap();

    let expected: Vec<_> = fixture
        .inputs()
        .into_iter()
        .filter(|r| !ends_with(r.text(), '7'))
        .collect();
    Oracle::exactly_once(&expected, &fixture.outputs());
    let skipped =
        |e: &Event| matches!(e, Event::RecordFailed { what, .. } if what.contains("seven"));
    assert_eq!(fixture.count(skipped), 2_000 - expected.len());
}

#[test]
fn a_failing_record_ends_the_job_and_names_itself() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 20);
    let builder = fixture.builder();
    let topology = fixture.mapping(&builder, |text| {
        if ends_with(text, '7') {
            panic!("seven")
        } else {
            text.to_owned()
        }
    });

    let error = fixture.run_until_latest(topology).unwrap_err().to_string();

    let place = format!("offset 7 of {}-0", fixture.input);
    assert!(
        error.contains("process failed") && error.contains(&place) && error.contains("seven"),
        "{error}"
    );
}

#[test]
fn a_failed_record_leaves_none_of_its_outputs_behind() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 100);
    let builder = fixture.builder();
    builder.on_process_error(ErrorPolicy::Skip);
    let text: KStream<Keyless, str> =
        builder.source(&fixture.input, streams::ByType, streams::ByType);
    // The first child has written its output when the second one fails.
    streams::sink(
        text.clone(),
        &fixture.output,
        streams::ByType,
        streams::ByType,
    );
    text.for_each(|_, text| assert!(!ends_with(text, '3'), "three"));

    fixture.run_until_latest(builder.build()).unwrap();

    let expected: Vec<_> = fixture
        .inputs()
        .into_iter()
        .filter(|r| !ends_with(r.text(), '3'))
        .collect();
    assert_eq!(expected.len(), 90);
    Oracle::exactly_once(&expected, &fixture.outputs());
}

#[test]
fn inputs_of_one_task_each_keep_their_order() {
    let mut fixture = Fixture::new(1);
    let other = fixture.cluster.topic("other", 1);
    let sender = Sender::new(fixture.cluster, &[]);
    for time in 0..200_i64 {
        let topic = if time % 3 == 0 {
            &other
        } else {
            &fixture.input
        };
        let text = format!("{time:03}");
        sender.send(
            rdkafka::producer::BaseRecord::<[u8], str>::to(topic)
                .partition(0)
                .payload(&text)
                .timestamp(1_000 + time),
        );
    }
    sender.flush();
    let builder = fixture.builder();
    let input: KStream<Keyless, str> =
        builder.source(&fixture.input, streams::ByType, streams::ByType);
    let other: KStream<Keyless, str> = builder.source(&other, streams::ByType, streams::ByType);
    streams::sink(
        input.merge(&other),
        &fixture.output,
        streams::ByType,
        streams::ByType,
    );

    fixture.run_until_latest(builder.build()).unwrap();

    let outputs = fixture.outputs();
    assert_eq!(outputs.len(), 200);
    let of = |third: bool| -> Vec<_> {
        let number = |r: &ReadRecord| r.text().parse::<i64>().unwrap();
        outputs
            .iter()
            .map(number)
            .filter(|n| (n % 3 == 0) == third)
            .collect()
    };
    // What has not arrived cannot be waited for; within an input the order always holds.
    assert!(of(true).is_sorted() && of(false).is_sorted());
}

#[test]
fn keys_go_to_the_partitions_that_java_chooses() {
    let mut fixture = Fixture::new(1);
    let output = fixture.cluster.topic("keyed", 12);
    let sender = Sender::new(fixture.cluster, &[("partitioner", "murmur2_random")]);
    let expected = fixture.cluster.topic("expected", 12);
    for number in 0..100 {
        let key = format!("key-{number}");
        sender.send(
            rdkafka::producer::BaseRecord::to(&fixture.input)
                .partition(0)
                .key(&key)
                .payload("x"),
        );
        sender.send(
            rdkafka::producer::BaseRecord::to(&expected)
                .key(&key)
                .payload("x"),
        );
    }
    sender.flush();
    let builder = fixture.builder();
    let text: KStream<String, str> =
        builder.source(&fixture.input, streams::ByType, streams::ByType);
    streams::sink(text, &output, streams::ByType, streams::ByType);

    fixture.run_until_latest(builder.build()).unwrap();

    let places = |topic: &str| {
        let records = fixture.cluster.read_committed(topic);
        let mut places: Vec<_> = records.into_iter().map(|r| (r.key, r.partition)).collect();
        places.sort_unstable();
        places
    };
    assert_eq!(places(&output), places(&expected));
}

#[test]
fn a_transaction_timeout_above_the_brokers_limit_is_told_before_the_start() {
    let mut fixture = Fixture::new(1);
    let builder = fixture.builder();
    builder.transaction_timeout(Duration::from_secs(1_200));
    builder.broker_transaction_max_timeout(Duration::from_secs(1_800));
    let topology = fixture.mapping(&builder, str::to_owned);

    let error = fixture.run_until_latest(topology).unwrap_err().to_string();

    assert!(
        error.contains("transaction.max.timeout.ms") && error.contains("900000"),
        "{error}"
    );
}

#[test]
fn headers_go_along_unless_a_source_ignores_them() {
    let mut fixture = Fixture::new(1);
    let topic = |name| fixture.cluster.topic(name, 1);
    let (ignored, without, dead) = (topic("ignored"), topic("without"), topic("dead"));
    let sender = Sender::new(fixture.cluster, &[]);
    for (topic, text) in [(&fixture.input, "1"), (&ignored, "2"), (&ignored, "3")] {
        let header = Header {
            key: "trace",
            value: Some("yes"),
        };
        let headers = OwnedHeaders::new().insert(header);
        let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(0);
        sender.send(record.payload(text).headers(headers));
    }
    sender.flush();
    let builder = fixture.builder();
    builder.on_process_error(ErrorPolicy::DeadLetter(dead.clone()));
    let kept: KStream<Keyless, str> = builder.source(&fixture.input, ByType, ByType);
    kept.to(&fixture.output);
    // One topic, with and without.
    let one: KStream<Keyless, str> = builder.source_without_headers(&fixture.input, ByType, ByType);
    let others: KStream<Keyless, str> = builder.source_without_headers(&ignored, ByType, ByType);
    let checked = others.peek(|_, text| assert!(!ends_with(text, '3'), "three"));
    one.merge(&checked).to(&without);

    fixture.run_until_latest(builder.build()).unwrap();

    let names = |record: &ReadRecord| {
        let names = record.headers.iter().map(|(name, _)| name.clone());
        names.collect::<Vec<_>>()
    };
    let kept: Vec<_> = fixture.outputs().iter().map(names).collect();
    assert_eq!(kept, [["trace"]]);
    let mut without = fixture.cluster.read_committed(&without);
    without.sort_by(|one, other| one.text().cmp(other.text()));
    let without: Vec<_> = without.iter().map(|r| (r.text(), names(r))).collect();
    assert_eq!(without, [("1", Vec::new()), ("2", Vec::new())]);
    let letters = fixture.cluster.read_committed(&dead);
    let letters: Vec<_> = letters.iter().map(|r| (r.text(), names(r))).collect();
    let [("3", names)] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(names.first().map(String::as_str), Some("trace"));
}
