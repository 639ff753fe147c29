//! What the runtime promises when user code, other members or the brokers misbehave: jobs in this process, judged by
//! recounting what a read-committed consumer finds.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use streams::prelude::*;
use streams::runtime::{Event, Job, JobHandle, Properties, Summary};
use streams_tests::{Oracle, ReadRecord, Sender, TestCluster, wait_until};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);

type Events = Arc<Mutex<Vec<Event>>>;

/// A job on the shared cluster, with its topics, its events and a state directory.
struct Fixture {
    input: String,
    output: String,
    application: String,
    events: Events,
    directories: Vec<TempDir>,
    produced: usize,
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn new(partitions: i32) -> Self {
        let cluster = TestCluster::shared();
        Self {
            input: cluster.topic("in", partitions),
            output: cluster.topic("out", partitions),
            application: cluster.unique("job"),
            events: Events::default(),
            directories: Vec::new(),
            produced: 0,
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    fn builder(&self) -> TopologyBuilder {
        let builder = TopologyBuilder::new(self.application.as_str());
        builder.checkpoint_interval(Duration::from_millis(200));
        builder
    }

    /// A topology that changes the strings of the input.
    fn mapping(
        &self,
        builder: &TopologyBuilder,
        map: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Topology {
        let text: KStream<Keyless, str> =
            builder.source(&self.input, streams::ByType, streams::ByType);
        streams::sink(
            text.map_values(map),
            &self.output,
            streams::ByType,
            streams::ByType,
        );
        builder.build()
    }

    fn job(&mut self, topology: Topology) -> Job {
        let directory = tempfile::tempdir().unwrap();
        let events = Arc::clone(&self.events);
        let job = Job::new(
            topology,
            Properties::new(TestCluster::shared().bootstrap_servers()),
        )
        .state_dir(directory.path())
        .on_event(move |event| events.lock().unwrap().push(event.clone()));
        self.directories.push(directory);
        job
    }

    fn run_until_latest(&mut self, topology: Topology) -> streams::Result<Summary> {
        let job = self.job(topology).until_latest();
        self.runtime.block_on(job.run())
    }

    fn start(&mut self, topology: Topology) -> JobHandle {
        let job = self.job(topology);
        self.runtime.block_on(job.start()).unwrap()
    }

    fn stop(&self, handle: JobHandle) -> Summary {
        handle.stop();
        self.runtime.block_on(handle.join()).unwrap()
    }

    fn inputs(&self) -> Vec<ReadRecord> {
        TestCluster::shared().read_committed(&self.input)
    }

    fn outputs(&self) -> Vec<ReadRecord> {
        TestCluster::shared().read_committed(&self.output)
    }

    fn count(&self, of: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| of(e)).count()
    }

    /// Writes `count` records that no earlier call has written.
    fn produce(&mut self, partitions: i32, count: usize) {
        let sender = Sender::new(TestCluster::shared(), &[]);
        for number in self.produced..self.produced + count {
            let partition = i32::try_from(number).unwrap() % partitions;
            sender.text(&self.input, partition, &number.to_string());
        }
        sender.flush();
        self.produced += count;
    }
}

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
fn slow_user_code_cannot_let_a_transaction_time_out() {
    let mut fixture = Fixture::new(1);
    fixture.produce(1, 120);
    let builder = fixture.builder();
    builder.transaction_timeout(Duration::from_secs(3));
    builder.checkpoint_interval(Duration::from_millis(2_900));
    // All records come in one batch, which takes twice the transaction's timeout.
    let topology = fixture.mapping(&builder, |text| {
        std::thread::sleep(Duration::from_millis(50));
        text.to_owned()
    });

    let summary = fixture.run_until_latest(topology).unwrap();

    Oracle::exactly_once(&fixture.inputs(), &fixture.outputs());
    assert_eq!(
        summary.recoveries,
        0,
        "{:?}",
        fixture.events.lock().unwrap()
    );
    assert!(summary.checkpoints >= 3, "{summary:?}");
}

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

    let id = fixture
        .events
        .lock()
        .unwrap()
        .iter()
        .find_map(|event| match event {
            Event::ProducerReady {
                transactional_id, ..
            } => transactional_id.clone(),
            _ => None,
        });
    // Another producer takes the transactional id over, as a second process with a copied state directory would.
    let usurper = Sender::transactional(TestCluster::shared(), &id.unwrap(), &[]);
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
fn inputs_of_one_task_each_keep_their_order() {
    let mut fixture = Fixture::new(1);
    let other = TestCluster::shared().topic("other", 1);
    let sender = Sender::new(TestCluster::shared(), &[]);
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
    let output = TestCluster::shared().topic("keyed", 12);
    let sender = Sender::new(TestCluster::shared(), &[("partitioner", "murmur2_random")]);
    let expected = TestCluster::shared().topic("expected", 12);
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
        let records = TestCluster::shared().read_committed(topic);
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
fn a_stopped_job_stops_soon_when_there_is_nothing_to_do() {
    let mut fixture = Fixture::new(1);
    let builder = fixture.builder();
    let topology = fixture.mapping(&builder, str::to_owned);
    let handle = fixture.start(topology);
    wait_until("it has its partition", SOON, || {
        fixture.count(|e| matches!(e, Event::Assigned { .. })) > 0
    });

    let stopping = Instant::now();
    let summary = fixture.stop(handle);

    assert!(
        stopping.elapsed() < Duration::from_secs(10),
        "{:?}",
        stopping.elapsed()
    );
    assert_eq!(summary.checkpoints, 0, "an empty transaction was committed");
}
