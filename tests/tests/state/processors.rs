//! Processors on Kafka: their stores outlive restarts, and punctuators write in the transaction.

use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::producer::BaseRecord;
use std::time::Duration;
use streams::prelude::*;
use streams_broker::{ApiKey, ErrorCode, Fault};
use streams_tests::{ReadRecord, Sender, block_on};

use crate::fixture::{Counting, SOON, broker};

/// Counts in a store, and tells the sum of all counts by the wall clock.
struct Count(KeyValueStore<str, i64>);

impl Count {
    fn tell(&mut self, time: i64, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
        let counts = self.0.all(cx).map(|entry| entry.map(|(_, count)| count));
        let sum = counts.sum::<Outcome<i64>>()?;
        cx.forward(Record::new("sum", &sum, time))
    }
}

impl Processor<str, str> for Count {
    type KeyOut = str;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_, Self, str, i64>) -> Outcome {
        let soon = Duration::from_millis(50);
        cx.schedule(soon, PunctuationType::WallClockTime, Self::tell);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        let count = self.0.get(cx, record.key)?.unwrap_or_default() + 1;
        self.0.put(cx, record.key, &count)
    }
}

#[test]
fn a_store_outlives_restarts_and_punctuators_tell_what_is_in_it() {
    let mut job = Counting::new(1);
    for produced in [300_i64, 600] {
        job.produce(300, 10);
        let builder = TopologyBuilder::new(&job.application);
        let counts = builder.store(Stores::key_value::<str, i64>("counts"));
        let input = builder.stream::<str, str>(&job.input);
        input.process_with(&counts, Count).to(&job.output);
        let running = job.start(job.configured(&builder, |_| ()));
        job.wait_until_told(produced);
        job.stop(running);
    }
}

/// Counts its starts where there are no records.
struct Starts(KeyValueStore<str, i64>);

impl Processor<str, str> for Starts {
    type KeyOut = str;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_, Self, str, i64>) -> Outcome {
        let starts = self.0.get(cx, "starts")?.unwrap_or_default();
        self.0.put(cx, "starts", &(starts + 1))
    }

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        let starts = self.0.get(cx, "starts")?.unwrap_or_default();
        cx.forward(record.with_value(&starts))
    }
}

#[test]
fn what_a_task_writes_before_its_first_record_belongs_to_it() {
    let mut job = Counting::new(2);
    for partition in [0, 1] {
        job.produce_to(partition, "k", 1);
        let builder = TopologyBuilder::new(&job.application);
        let starts = builder.store(Stores::key_value::<str, i64>("starts"));
        let input = builder.stream::<str, str>(&job.input);
        input.process_with(&starts, Starts).to(&job.output);
        // What is written in both tasks is committed with the record of one.
        job.run(job.configured(&builder, |_| ())).unwrap();
    }
    let told = job.cluster.read_committed(&job.output);
    let starts: Vec<i64> = told
        .iter()
        .map(|record| i64::from_be_bytes(record.value.as_deref().unwrap().try_into().unwrap()))
        .collect();
    // The first run may end before the task without records has begun.
    assert!(
        [[1, 1], [1, 2]].contains(&starts.as_slice().try_into().unwrap()),
        "{starts:?}"
    );
}

#[test]
fn a_row_that_was_written_as_another_type_is_told_with_what_to_do() {
    struct Text(KeyValueStore<str, String>);
    impl FixedKeyProcessor<str, str> for Text {
        type ValueOut = str;
        fn process(
            &mut self,
            record: FixedKeyRecord<'_, str, str>,
            cx: &mut FixedKeyContext<'_, str, str>,
        ) -> Outcome {
            self.0.put(cx, record.key(), &"abc".to_owned())
        }
    }
    let mut job = Counting::new(1);
    job.produce_to(0, "k", 1);
    let builder = TopologyBuilder::new(&job.application);
    let texts = builder.store(Stores::key_value::<str, String>("kept"));
    let input = builder.stream::<str, str>(&job.input);
    let _ = input.process_values_with(&texts, Text);
    job.run(job.configured(&builder, |_| ())).unwrap();

    job.produce_to(0, "k", 1);
    let builder = TopologyBuilder::new(&job.application);
    // No policy can skip what is kept.
    builder.on_process_error(ErrorPolicy::Skip);
    let counts = builder.store(Stores::key_value::<str, i64>("kept"));
    let input = builder.stream::<str, str>(&job.input);
    input.process_with(&counts, Count).to(&job.output);
    let error = job.run(job.configured(&builder, |_| ())).unwrap_err();
    let error = error.to_string();
    for words in ["`kept`", "8 bytes", "another name", "reset the application"] {
        assert!(error.contains(words), "`{words}` is not in {error}");
    }
    assert!(!error.contains("on_error(state"), "{error}");
}

/// Keeps a value of more than a megabyte.
struct Hoard(KeyValueStore<str, String>);

impl Processor<str, str> for Hoard {
    type KeyOut = str;
    type ValueOut = i64;

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        self.0.put(cx, record.key, &"much ".repeat(300_000))
    }
}

#[test]
fn a_row_that_its_changelog_does_not_take_ends_the_job_and_names_itself() {
    let mut job = Counting::new(1);
    job.produce_to(0, "the-key", 1);
    let builder = TopologyBuilder::new(&job.application);
    let store = builder.store(Stores::key_value::<str, String>("hoard"));
    let input = builder.stream::<str, str>(&job.input);
    input.process_with(&store, Hoard).to(&job.output);

    let error = job.run(job.configured(&builder, |_| ())).unwrap_err();

    let changelog = format!("{}-hoard-changelog", job.application);
    let error = error.to_string();
    for part in [
        "`hoard`",
        "\"the-key\"",
        &changelog,
        "1500",
        "max.message.bytes",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn the_limit_of_a_changelog_is_its_own() {
    let mut job = Counting::new(1);
    job.produce_to(0, "the-key", 10);
    job.run_until_latest();
    let changelog = job.changelog();
    let topic = ResourceSpecifier::Topic(&changelog);
    // All that is not said goes back to its default.
    let small = AlterConfig::new(topic)
        .set("cleanup.policy", "compact")
        .set("max.message.bytes", "100");
    let admin = job.cluster.admin();
    let altered = admin.alter_configs([&small], &AdminOptions::new());
    block_on(altered).unwrap().remove(0).unwrap();
    job.produce_to(0, &"k".repeat(200), 1);

    let error = job.run(job.topology()).unwrap_err().to_string();

    for part in ["`counts`", "\"kkkk", &changelog, "at most 100 "] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// Tells the stream's time with each record.
struct StreamTime;

impl Processor<str, str> for StreamTime {
    type KeyOut = str;
    type ValueOut = i64;

    fn process(
        &mut self,
        record: Record<'_, str, str>,
        cx: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        let time = cx.stream_time();
        cx.forward(record.with_value(&time))
    }
}

fn send_at(job: &Counting, timestamp: i64) {
    let sender = Sender::new(job.cluster, &[]);
    let record = BaseRecord::to(&job.input).timestamp(timestamp);
    sender.send(record.key("key").payload("value"));
    sender.flush();
}

fn told_times(job: &Counting) -> Vec<i64> {
    let outputs = job.cluster.read_committed(&job.output);
    let time = |record: &ReadRecord| {
        let value = record.value.as_deref().unwrap();
        i64::from_be_bytes(value.try_into().unwrap())
    };
    outputs.iter().map(time).collect()
}

#[test]
fn the_streams_time_does_not_go_back_at_a_restart() {
    let job = Counting::new(1);
    for timestamp in [1_000, 2_000, 500] {
        send_at(&job, timestamp);
        let builder = TopologyBuilder::new(&job.application);
        let input = builder.stream::<str, str>(&job.input);
        input.process(|| StreamTime).to(&job.output);
        job.run(job.configured(&builder, |_| ())).unwrap();
    }
    assert_eq!(told_times(&job), [1_000, 2_000, 2_000]);
}

/// Tells the time at which its punctuator is called.
struct Punctual;

impl Punctual {
    fn tell(&mut self, time: i64, cx: &mut ProcessorContext<'_, str, i64>) -> Outcome {
        cx.forward(Record::new("time", &time, time))
    }
}

impl Processor<str, str> for Punctual {
    type KeyOut = str;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_, Self, str, i64>) -> Outcome {
        let seldom = Duration::from_secs(10);
        cx.schedule(seldom, PunctuationType::StreamTime, Self::tell);
        Ok(())
    }

    fn process(
        &mut self,
        _: Record<'_, str, str>,
        _: &mut ProcessorContext<'_, str, i64>,
    ) -> Outcome {
        Ok(())
    }
}

#[test]
fn a_punctuator_by_stream_time_is_called_where_the_task_goes_on() {
    let job = Counting::new(1);
    send_at(&job, 1_000);
    for _ in 0..2 {
        let builder = TopologyBuilder::new(&job.application);
        let input = builder.stream::<str, str>(&job.input);
        input.process(|| Punctual).to(&job.output);
        job.run(job.configured(&builder, |_| ())).unwrap();
    }
    assert_eq!(told_times(&job), [1_000, 1_000]);
}

#[test]
fn the_streams_time_does_not_go_back_with_an_aborted_transaction() {
    let (kafka, cluster) = broker();
    let job = Counting::on(cluster, 1);
    let builder = TopologyBuilder::new(&job.application);
    let store = builder.store(Stores::key_value::<str, i64>("store"));
    let input = builder.stream::<str, str>(&job.input);
    input.process_with(&store, |_| StreamTime).to(&job.output);
    let running = job.start(job.configured(&builder, |_| ()));
    send_at(&job, 2_000);
    job.wait_until_counted();
    let stale = Fault::fail(ApiKey::TxnOffsetCommit, ErrorCode::IllegalGeneration);
    let failed = kafka.inject(stale.first(1));
    send_at(&job, 500);
    assert!(failed.wait_until_struck(1, SOON));
    job.wait_until_counted();
    assert!(job.stop(running).recoveries > 0);
    assert_eq!(told_times(&job), [2_000, 2_000]);
}
