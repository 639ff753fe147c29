//! Kafka's own Java clients and Kafka Streams, and kcat, do their work on the cluster; the programs are in `tests/java`.
//!
//! On a machine without a JDK, Maven or kcat a test is skipped, and says so; with `CI=true` it fails.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::producer::BaseRecord;
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};
use streams_tests::{Isolation, Java, ReadRecord, Sender, TestCluster, skip};
use tempfile::TempDir;

const RECORDS: usize = 3_000;
const LETTERS: &str = "abcdefghijklm";
const PATIENCE: Duration = Duration::from_secs(120);

fn cluster() -> &'static TestCluster {
    TestCluster::shared()
}

/// A topic whose values begin with one letter after the other.
fn filled(cluster: &TestCluster, name: &str, partitions: i32) -> String {
    let topic = cluster.topic(name, partitions);
    let sender = Sender::new(cluster, &[("enable.idempotence", "true")]);
    let letters = LETTERS.chars().cycle();
    for ((number, letter), partition) in (0..RECORDS).zip(letters).zip((0..partitions).cycle()) {
        sender.text(&topic, partition, &format!("{letter}{number}"));
    }
    sender.flush();
    topic
}

fn values(cluster: &TestCluster, topic: &str) -> Vec<String> {
    let records = cluster.read_committed(topic);
    let mut values: Vec<_> = records
        .iter()
        .map(|record| record.text().to_owned())
        .collect();
    values.sort_unstable();
    values
}

#[test]
fn producers_write_in_order_with_every_compression() {
    let Some(java) = Java::find() else { return };
    let topic = cluster().topic("java-producer", 2);
    java.run("Producers", &[cluster().bootstrap_servers(), &topic]);
    let records = cluster().read_committed(&topic);
    assert_eq!(records.len(), 5 * 1_000);
    assert!(records.iter().all(|record| record.headers.len() == 2));
}

#[test]
fn transactions_copy_exactly_once_and_fence() {
    let Some(java) = Java::find() else { return };
    let input = filled(cluster(), "java-copy-input", 2);
    let output = cluster().topic("java-copy-output", 2);
    let count = RECORDS.to_string();
    java.run(
        "Transactions",
        &[cluster().bootstrap_servers(), &input, &output, &count],
    );
    let mut expected = values(cluster(), &input);
    expected.push("end".to_owned());
    expected.sort_unstable();
    assert_eq!(values(cluster(), &output), expected);
    let all = cluster().read(&output, Isolation::Uncommitted).len();
    assert!(
        all > expected.len(),
        "nothing was aborted, so nothing was tried"
    );
}

/// On the embedded broker, which compacts on command: batches that lost a record are compressed again.
#[test]
fn what_was_compressed_and_compacted_is_read() {
    const KEYS: usize = 2_000;
    let Some(java) = Java::find() else { return };
    let kafka = EmbeddedKafka::builder()
        .topic_with_configs("t", 1, [("cleanup.policy", "compact")])
        .start()
        .unwrap();
    let cluster = TestCluster::on(&kafka);
    // Of several of a codec's blocks, and not all alike.
    let value = |key: &str| format!("{key} {}", key.repeat(20));
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let settings = [("compression.type", codec), ("linger.ms", "200")];
        let sender = Sender::new(&cluster, &settings);
        for number in (0..KEYS).chain([0]) {
            let key = format!("{codec}-{number}");
            let value = value(&key);
            let record = BaseRecord::<str, str>::to("t").partition(0).key(&key);
            sender.send(record.payload(&value));
        }
        sender.flush();
    }
    let end = BaseRecord::<str, str>::to("t").partition(0).key("end");
    let sender = Sender::new(&cluster, &[]);
    sender.send(end.payload("end "));
    sender.flush();
    kafka.compact();
    let count = (4 * KEYS + 1).to_string();
    java.run("Compacted", &[kafka.bootstrap_servers(), "t", &count]);
}

/// Two members with these protocols, and one that comes when they are gone.
fn share_and_come_back(protocols: [&str; 3]) {
    let Some(java) = Java::find() else { return };
    let protocols = protocols.join(",");
    let topic = filled(
        cluster(),
        &format!("java-{}", protocols.replace(',', "-")),
        4,
    );
    let count = RECORDS.to_string();
    java.run(
        "Consumers",
        &[cluster().bootstrap_servers(), &topic, &count, &protocols],
    );
}

#[test]
fn a_classic_group_shares_commits_and_comes_back() {
    share_and_come_back(["classic", "classic", "classic"]);
}

#[test]
fn a_consumer_group_shares_commits_and_comes_back() {
    share_and_come_back(["consumer", "consumer", "consumer"]);
}

#[test]
fn a_group_of_both_protocols_shares_commits_and_comes_back() {
    share_and_come_back(["classic", "consumer", "classic"]);
}

#[test]
fn the_admin_client_gets_its_answers() {
    let Some(java) = Java::find() else { return };
    for subject in ["topics", "groups", "transactions", "operations"] {
        let topic = cluster().unique("java-admin");
        java.run("Admins", &[cluster().bootstrap_servers(), &topic, subject]);
    }
}

/// On the embedded broker whatever the others run on: it tells what it was asked.
#[test]
fn java_clients_use_the_newest_versions_of_what_they_need() {
    let Some(java) = Java::find() else { return };
    let kafka = EmbeddedKafka::builder()
        .topic("input", 4)
        .topic("output", 4)
        .start()
        .unwrap();
    let servers = kafka.bootstrap_servers();
    let sender = Sender::new(&TestCluster::on(&kafka), &[]);
    for (number, partition) in (0..RECORDS).zip((0..4).cycle()) {
        sender.text("input", partition, &format!("a{number}"));
    }
    sender.flush();
    let count = RECORDS.to_string();
    java.run("Transactions", &[servers, "input", "output", &count]);
    let protocols = ["consumer"; 3].join(",");
    java.run("Consumers", &[servers, "input", &count, &protocols]);
    let mut newest = BTreeMap::new();
    for seen in kafka.requests() {
        let version = newest.entry(format!("{:?}", seen.api)).or_insert(0);
        *version = seen.version.max(*version);
    }
    eprintln!("{newest:?}");
    // What Apache Kafka 4.3.1 and its clients have agreed on, as far as these clients ask for it.
    for (api, version) in [
        ("Produce", 13),
        ("Fetch", 18),
        ("ListOffsets", 11),
        ("OffsetCommit", 10),
        ("OffsetFetch", 10),
        ("InitProducerId", 5),
        ("EndTxn", 5),
        ("TxnOffsetCommit", 5),
        ("ConsumerGroupHeartbeat", 1),
    ] {
        assert_eq!(newest.get(api), Some(&version), "{api} of {newest:?}");
    }
    // Since version 12 of Produce and 5 of TxnOffsetCommit partitions and groups register themselves.
    for unneeded in ["AddPartitionsToTxn", "AddOffsetsToTxn"] {
        assert_eq!(newest.get(unneeded), None, "{newest:?}");
    }
}

/// What StreamsCount counts, and where it does.
struct Counting<'a> {
    cluster: &'a TestCluster,
    application: String,
    input: String,
    output: String,
    state: TempDir,
}

impl<'a> Counting<'a> {
    fn on(cluster: &'a TestCluster) -> Self {
        Counting {
            cluster,
            application: cluster.unique("java-streams"),
            input: filled(cluster, "java-streams-input", 2),
            output: cluster.topic("java-streams-output", 2),
            state: tempfile::tempdir().unwrap(),
        }
    }

    fn arguments(&self) -> Vec<String> {
        let servers = self.cluster.bootstrap_servers();
        let state = self.state.path().to_str().unwrap();
        let count = RECORDS.to_string();
        [
            servers,
            &self.application,
            &self.input,
            &self.output,
            state,
            &count,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn changelog(&self) -> String {
        format!("{}-counts-changelog", self.application)
    }

    fn repartition(&self) -> String {
        format!("{}-letters-repartition", self.application)
    }

    /// Every record is counted once, and every count is told by the changelog.
    fn check(&self) {
        let mut expected = BTreeMap::new();
        for value in values(self.cluster, &self.input) {
            *expected.entry(value[..1].to_owned()).or_insert(0_i64) += 1;
        }
        let sum = expected.values().sum::<i64>();
        assert_eq!(sum, i64::try_from(RECORDS).unwrap());
        for topic in [&self.output, &self.changelog()] {
            assert_eq!(counts(self.cluster, topic), expected, "{topic}");
        }
        // Kafka Streams deletes what it has read from a repartition topic; offsets tell how much there was, markers included.
        let ends = self
            .cluster
            .end_offsets(&self.repartition(), Isolation::Committed);
        assert!(
            ends.iter().sum::<i64>() > sum,
            "{ends:?} were repartitioned"
        );
    }
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn kafka_streams_counts_exactly_once() {
    let Some(java) = Java::find() else { return };
    let counting = Counting::on(cluster());
    java.run("StreamsCount", &borrowed(&counting.arguments()));
    counting.check();
}

/// It dies while it commits; its commit arrives when its transaction has been aborted; of those of the next one an answer is
/// lost, and another is refused because the member is not known any more. On the embedded broker, which can do that.
#[test]
fn kafka_streams_counts_exactly_once_through_a_kill_and_faults() {
    let Some(java) = Java::find() else { return };
    let kafka = EmbeddedKafka::builder()
        .setting("auto.create.topics.enable", "false")
        .start()
        .unwrap();
    let cluster = TestCluster::on(&kafka);
    let counting = Counting::on(&cluster);
    let arguments = counting.arguments();
    // So that there is more than one transaction to a thread.
    kafka.inject(Fault::delay(ApiKey::Produce, Duration::from_millis(20)));

    let commit = kafka.inject(Fault::hold(ApiKey::EndTxn).first(1));
    let log = counting.state.path().join("log");
    let killed = java.start("StreamsCount", &borrowed(&arguments), &log);
    assert!(
        commit.wait_until_struck(1, PATIENCE),
        "nothing is committed"
    );
    killed.kill();
    let topics = [
        &counting.output,
        &counting.changelog(),
        &counting.repartition(),
    ];
    let is_open = |topic: &&String| {
        let end = |isolation| cluster.end_offsets(topic, isolation);
        end(Isolation::Committed) != end(Isolation::Uncommitted)
    };
    assert!(
        topics.iter().any(is_open),
        "it did not die in a transaction"
    );
    // Its members are gone, and its transactions aborted.
    kafka.advance_clock(Duration::from_secs(60));
    commit.end();

    let lost = kafka.inject(Fault::cut_after(ApiKey::EndTxn).nth(2));
    let unknown = Fault::fail(ApiKey::TxnOffsetCommit, ErrorCode::UnknownMemberId);
    let unknown = kafka.inject(unknown.nth(4));
    java.run("StreamsCount", &borrowed(&arguments));

    counting.check();
    assert_eq!((lost.struck().len(), unknown.struck().len()), (1, 1));
}

/// The last count of each key; counts of a key may only grow.
fn counts(cluster: &TestCluster, topic: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for ReadRecord { key, value, .. } in cluster.read_committed(topic) {
        let key = String::from_utf8(key.unwrap()).unwrap();
        let value = value.unwrap();
        // A changelog's value may begin with a timestamp: the count is the last eight bytes.
        let count = i64::from_be_bytes(*value.last_chunk().unwrap());
        let before = counts.insert(key.clone(), count);
        assert!(
            before.is_none_or(|before| before < count),
            "{key}: {before:?}, then {count}"
        );
    }
    counts
}

/// Runs kcat with an input, and returns what it printed; `None` where it isn't installed.
fn kcat(arguments: &[&str], input: &str) -> Option<String> {
    let spawned = Command::new("kcat")
        .args(["-b", cluster().bootstrap_servers()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut kcat) = spawned else {
        skip("there is no `kcat`");
        return None;
    };
    kcat.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = kcat.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        panic!(
            "kcat {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Some(printed)
}

#[test]
fn kcat_lists_produces_and_consumes() {
    let topic = cluster().topic("kcat", 2);
    let Some(listed) = kcat(&["-L", "-t", &topic], "") else {
        return;
    };
    assert!(
        listed.contains(&format!("topic \"{topic}\" with 2 partitions")),
        "{listed}"
    );
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        kcat(
            &["-P", "-t", &topic, "-p", "1", "-K", ":", "-z", codec],
            &format!("{codec}:1\n{codec}:2\n"),
        );
    }
    let read = kcat(&["-C", "-t", &topic, "-e", "-q", "-f", "%p %o %k %s\n"], "").unwrap();
    let lines: Vec<_> = read.lines().collect();
    assert_eq!(lines.len(), 10, "{read}");
    assert_eq!(lines.first(), Some(&"1 0 none 1"));
    assert_eq!(lines.last(), Some(&"1 9 zstd 2"));
    let offset = kcat(&["-Q", "-t", &format!("{topic}:1:-1")], "").unwrap();
    assert!(offset.contains("offset 10"), "{offset}");
}
