//! Global tables: read before the first record, and followed from then on.

use rdkafka::producer::BaseRecord;
use streams::prelude::*;
use streams::runtime::Event;
use streams::serde::SerdeError;
use streams_broker::{ApiKey, ErrorCode, Fault};
use streams_tests::{Sender, wait_until};

use crate::fixture::{Counting, SOON, broker};

fn put(job: &Counting, topic: &str, rows: &[(&str, &str)]) {
    let sender = Sender::new(job.cluster, &[("enable.idempotence", "true")]);
    for (key, value) in rows {
        sender.send(BaseRecord::to(topic).key(*key).payload(*value));
    }
    sender.flush();
}

/// Five hundred of them, each with a name.
fn put_airports(job: &Counting, topic: &str) {
    let rows: Vec<(String, String)> = (0..500)
        .map(|n| (format!("A{n}"), format!("Airport {n}")))
        .collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(k, v)| (&**k, &**v)).collect();
    put(job, topic, &rows);
}

/// Names the airport of each record.
fn names(job: &Counting, airports: &str) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    let airports = builder
        .global_table::<String, String>(airports)
        .named("airports");
    let flights: KStream<str, String> = builder.source(&job.input, ByType, ByType);
    let named = flights.join_global(
        &airports,
        |_, code: &String| code.clone(),
        |_, name: &String| name.clone(),
    );
    named.to(&job.output);
    job.configured(&builder, |_| {})
}

fn outputs(job: &Counting) -> Vec<String> {
    let outputs = job.cluster.read_committed(&job.output);
    outputs
        .iter()
        .map(|record| record.text().to_owned())
        .collect()
}

/// How many rows were read before the job began.
fn rows_read(job: &Counting) -> u64 {
    let events = job.take_events().into_iter();
    let read = events.filter_map(|event| match event {
        Event::GlobalTablesRead { records, .. } => Some(records),
        _ => None,
    });
    read.last().unwrap()
}

#[test]
fn all_rows_are_there_before_the_first_record_and_later_ones_come() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 3);
    put_airports(&job, &airports);
    put(
        &job,
        &job.input,
        &[("one", "A499"), ("two", "A0"), ("none", "B0")],
    );
    let handle = job.start(names(&job, &airports));
    job.wait_until_counted();
    assert_eq!(outputs(&job), ["Airport 499", "Airport 0"]);
    // A row that changes while the job runs is seen by records that come after it has arrived.
    put(&job, &airports, &[("A0", "Elsewhere")]);
    wait_until("the new row is seen", SOON, || {
        put(&job, &job.input, &[("again", "A0")]);
        job.wait_until_counted();
        outputs(&job).last().is_some_and(|last| last == "Elsewhere")
    });
    job.stop(handle);
}

#[test]
fn a_global_table_without_its_topic_is_refused() {
    let job = Counting::new(1);
    let error = job
        .run(names(&job, "no-such-topic"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("`no-such-topic` does not exist"), "{error}");
}

#[test]
fn a_restart_reads_only_what_has_come_since() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 3);
    put_airports(&job, &airports);
    let run = |flight: &str| {
        put(&job, &job.input, &[("flight", flight)]);
        job.run(names(&job, &airports)).unwrap();
        (outputs(&job).pop().unwrap(), rows_read(&job))
    };
    assert_eq!(run("A7"), ("Airport 7".to_owned(), 500));
    put(&job, &airports, &[("A7", "Elsewhere")]);
    assert_eq!(run("A7"), ("Elsewhere".to_owned(), 1));
    assert_eq!(run("A499"), ("Airport 499".to_owned(), 0));
    // What was made anew under the same name is read from the beginning.
    job.cluster.delete_topic(&airports).unwrap();
    job.cluster.create_topic(&airports, 3).unwrap();
    put(&job, &airports, &[("A499", "New")]);
    assert_eq!(run("A499"), ("New".to_owned(), 1));
}

#[test]
fn a_row_that_was_kept_as_another_type_is_told_with_what_to_do() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    put(&job, &airports, &[("A7", "Airport 7")]);
    put(&job, &job.input, &[("1", "A7")]);
    job.run(names(&job, &airports)).unwrap();
    put(&job, &job.input, &[("2", "A7")]);
    let builder = TopologyBuilder::new(&job.application);
    let lengths = builder.global_table::<String, i64>(&airports);
    let flights: KStream<str, String> = builder.source(&job.input, ByType, ByType);
    flights
        .join_global(
            &lengths.named("airports"),
            |_, code: &String| code.clone(),
            |_, length: &i64| *length,
        )
        .to(&job.output);
    let error = job.run(job.configured(&builder, |_| {})).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("8 bytes") && error.contains("Delete the instance's state directory"),
        "{error}"
    );
}

#[test]
fn a_table_of_another_topic_begins_anew() {
    let job = Counting::new(1);
    let old = job.cluster.topic("airports", 1);
    let new = job.cluster.topic("airports-v2", 1);
    put(&job, &old, &[("A", "old"), ("B", "gone")]);
    put(&job, &new, &[("A", "new"), ("C", "c"), ("D", "d")]);
    put(&job, &job.input, &[("1", "A")]);
    job.run(names(&job, &old)).unwrap();
    let flights = [("1", "A"), ("2", "B"), ("3", "C"), ("4", "D")];
    put(&job, &job.input, &flights);
    job.run(names(&job, &new)).unwrap();
    assert_eq!(outputs(&job), ["old", "new", "c", "d"]);
}

#[test]
fn a_topic_that_was_made_anew_with_as_many_rows_is_read_anew() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    put(&job, &airports, &[("A", "wrong"), ("B", "gone")]);
    put(&job, &job.input, &[("flight", "A")]);
    job.run(names(&job, &airports)).unwrap();
    job.cluster.delete_topic(&airports).unwrap();
    job.cluster.create_topic(&airports, 1).unwrap();
    put(&job, &airports, &[("A", "right"), ("C", "new")]);
    put(&job, &job.input, &[("flight", "A"), ("another", "B")]);
    job.run(names(&job, &airports)).unwrap();
    assert_eq!(outputs(&job), ["wrong", "right"]);
}

#[test]
fn an_error_in_place_of_a_row_is_not_taken_for_the_row() {
    let (kafka, cluster) = broker();
    let job = Counting::on(cluster, 1);
    let airports = cluster.topic("airports", 1);
    put(&job, &airports, &[("A1", "Airport 1")]);
    put(&job, &job.input, &[("flight", "A1")]);
    // The client hands it on as the partition's.
    let error = Fault::fail(ApiKey::Fetch, ErrorCode::UnknownServerError);
    let failed = kafka.inject(error.topic(&airports).first(1));
    job.run(names(&job, &airports)).unwrap();
    assert_eq!(failed.struck().len(), 1);
    assert_eq!(rows_read(&job), 1);
    assert_eq!(outputs(&job), ["Airport 1"]);
}

#[test]
fn a_question_about_the_topic_is_asked_again_at_the_start() {
    let (kafka, cluster) = broker();
    let job = Counting::on(cluster, 1);
    let airports = cluster.topic("airports", 1);
    put(&job, &airports, &[("A1", "Airport 1")]);
    put(&job, &job.input, &[("flight", "A1")]);
    // Not what a leader says, so the client does not ask again by itself.
    let asked = Fault::fail(ApiKey::ListOffsets, ErrorCode::CoordinatorNotAvailable)
        .topic(&airports)
        .first(2);
    let failed = kafka.inject(asked);
    job.run(names(&job, &airports)).unwrap();
    assert_eq!(failed.struck().len(), 2);
    assert_eq!(outputs(&job), ["Airport 1"]);
}

#[test]
fn a_running_job_gets_over_a_question_that_fails() {
    let (kafka, cluster) = broker();
    let job = Counting::on(cluster, 1);
    let airports = cluster.topic("airports", 1);
    put_airports(&job, &airports);
    let handle = job.start(names(&job, &airports));
    // What comes next is gone when it is asked for, and where the topic begins now is told late.
    let held = kafka.inject(Fault::hold(ApiKey::Fetch).topic(&airports));
    assert!(held.wait_until_struck(1, SOON));
    put_airports(&job, &airports);
    cluster.delete_records_before(&airports, 0, 999);
    let asked = Fault::fail(ApiKey::ListOffsets, ErrorCode::CoordinatorNotAvailable)
        .topic(&airports)
        .first(2);
    let failed = kafka.inject(asked);
    held.end();
    assert!(failed.wait_until_struck(2, SOON));
    put(&job, &airports, &[("A0", "Elsewhere")]);
    wait_until("the new row is seen", SOON, || {
        put(&job, &job.input, &[("flight", "A0")]);
        job.wait_until_counted();
        outputs(&job).last().is_some_and(|last| last == "Elsewhere")
    });
    job.stop(handle);
}

#[test]
fn a_start_that_is_dropped_lets_go_of_the_tables() {
    let (kafka, cluster) = broker();
    let job = Counting::on(cluster, 1);
    let airports = cluster.topic("airports", 1);
    put(&job, &airports, &[("A1", "Airport 1")]);
    // The first reader never gets an answer; the next one does.
    let held = kafka.inject(Fault::hold(ApiKey::Fetch).topic(&airports).nth(1));
    let seen = held.clone();
    job.start_and_drop(names(&job, &airports), move || {
        seen.wait_until_struck(1, SOON)
    });
    let mut handle = None;
    wait_until("the tables are free", SOON, || {
        handle = job.try_start(names(&job, &airports)).ok();
        handle.is_some()
    });
    job.stop(handle.unwrap());
}

/// Panics on one name.
struct Touchy;

impl Serde<String> for Touchy {
    fn serialize(&self, name: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(name.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        assert_ne!(bytes, b"Nowhere", "as it was told");
        Ok(std::str::from_utf8(bytes)?.to_owned())
    }
}

/// Names the airport of each record, of a table whose serde may panic.
fn touchy_names(job: &Counting, airports: &str, policy: ErrorPolicy) -> Topology {
    let builder = TopologyBuilder::new(&job.application);
    builder.on_process_error(policy);
    let airports = builder.global_table_with::<String, String>(airports, ByType, By(Touchy));
    let flights: KStream<str, String> = builder.source(&job.input, ByType, ByType);
    let named = flights.join_global(
        &airports.named("airports"),
        |_, code: &String| code.clone(),
        |_, name: &String| name.clone(),
    );
    named.to(&job.output);
    job.configured(&builder, |_| {})
}

#[test]
fn a_row_that_its_serde_panics_on_ends_the_job_and_is_named() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    put(&job, &airports, &[("A1", "Airport 1")]);
    let handle = job.start(touchy_names(&job, &airports, ErrorPolicy::Fail));
    put(&job, &airports, &[("A2", "Nowhere")]);
    let error = job.fail(handle);
    let at = format!("{airports}-0");
    for part in [at.as_str(), "offset 1", "as it was told"] {
        assert!(error.contains(part), "{error}");
    }
    // Nor is it got past at the next start.
    let error = job.try_start(touchy_names(&job, &airports, ErrorPolicy::Fail));
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("as it was told"), "{error}");
}

#[test]
fn a_row_that_its_serde_panics_on_can_be_left_out() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    let rows = [("A1", "Airport 1"), ("A2", "Nowhere"), ("A3", "Airport 3")];
    put(&job, &airports, &rows);
    put(&job, &job.input, &[("one", "A2"), ("two", "A3")]);
    job.run(touchy_names(&job, &airports, ErrorPolicy::Skip))
        .unwrap();
    assert_eq!(outputs(&job), ["Airport 3"]);
}

#[test]
fn a_table_that_was_global_has_its_rows() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    put(&job, &airports, &[("A", "Airport")]);
    put(&job, &job.input, &[("A", "A")]);
    job.run(names(&job, &airports)).unwrap();
    let builder = TopologyBuilder::new(&job.application);
    let table = builder.table::<String, String>(&airports).named("airports");
    let flights: KStream<String, String> = builder.source(&job.input, ByType, ByType);
    let named = flights.left_join(&table, |_: &String, name: Option<&String>| {
        name.cloned().unwrap_or_default()
    });
    named.to(&job.output);
    let topology = job.configured(&builder, |_| {});
    job.run(topology.clone()).unwrap();
    put(&job, &job.input, &[("A", "A")]);
    job.run(topology).unwrap();
    assert_eq!(outputs(&job), ["Airport", "Airport"]);
}

#[test]
fn partitions_that_are_added_end_the_job_and_a_restart_reads_them() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    put_airports(&job, &airports);
    let handle = job.start(names(&job, &airports));
    job.cluster.grow(&airports, 4).unwrap();
    // Some of them are in the new partitions only.
    let more: Vec<String> = (0..20).map(|n| format!("B{n}")).collect();
    let rows: Vec<(&str, &str)> = more.iter().map(|key| (&**key, &**key)).collect();
    put(&job, &airports, &rows);
    let error = job.fail(handle);
    assert!(
        error.contains(&airports) && error.contains("4 partitions") && error.contains("Start"),
        "{error}"
    );
    put(&job, &job.input, &rows);
    job.run(names(&job, &airports)).unwrap();
    assert_eq!(outputs(&job), more);
}

#[test]
fn a_topic_that_is_deleted_ends_the_job_and_is_named() {
    let job = Counting::new(1);
    let airports = job.cluster.topic("airports", 1);
    put_airports(&job, &airports);
    let handle = job.start(names(&job, &airports));
    job.cluster.delete_topic(&airports).unwrap();
    let error = job.fail(handle);
    assert!(error.contains(&format!("`{airports}`")), "{error}");
}
