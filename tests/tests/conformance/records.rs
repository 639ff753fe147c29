//! What becomes of a record that is written.

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use streams_tests::{Sender, TestCluster};

use crate::{cluster, texts};

#[test]
fn a_record_comes_back_as_it_was_written() {
    let topic = cluster().topic("record", 1);
    let sender = Sender::new(cluster(), &[]);
    let header = |key, value| Header { key, value };
    // A name may repeat and a value may be null.
    let headers = OwnedHeaders::new()
        .insert(header("h", Some("1")))
        .insert(header("h", Some("2")))
        .insert(header("null", None::<&str>));
    sender.send(
        BaseRecord::to(&topic)
            .partition(0)
            .key("k")
            .payload("v")
            .timestamp(1_234)
            .headers(headers),
    );
    sender.send(
        BaseRecord::<[u8], [u8]>::to(&topic)
            .partition(0)
            .timestamp(1),
    );
    sender.send(
        BaseRecord::<str, str>::to(&topic)
            .partition(0)
            .key("")
            .payload("")
            .timestamp(5),
    );
    sender.flush();
    let records = cluster().read_committed(&topic);
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(
        records[0].headers,
        [
            ("h".into(), bytes("1")),
            ("h".into(), bytes("2")),
            ("null".into(), None)
        ]
    );
    assert_eq!(
        (&records[0].key, &records[0].value, records[0].timestamp),
        (&bytes("k"), &bytes("v"), 1_234)
    );
    assert_eq!(
        (&records[1].key, &records[1].value, records[1].timestamp),
        (&None, &None, 1)
    );
    assert_eq!(
        (&records[2].key, &records[2].value, records[2].timestamp),
        (&bytes(""), &bytes(""), 5)
    );
}

#[test]
fn each_compression_is_accepted() {
    let topic = cluster().topic("codec", 1);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let sender = Sender::new(
            cluster(),
            &[("compression.type", codec), ("linger.ms", "50")],
        );
        for number in 0..50 {
            sender.text(&topic, 0, &format!("{codec}{number}"));
        }
        sender.flush();
    }
    let records = cluster().read_committed(&topic);
    let expected = ["none", "gzip", "snappy", "lz4", "zstd"]
        .iter()
        .flat_map(|codec| (0..50).map(move |number| format!("{codec}{number}")));
    assert_eq!(texts(&records), expected.collect::<Vec<_>>());
}

#[test]
fn an_idempotent_producer_is_written_once_and_in_order_over_a_restart() {
    let cluster = TestCluster::start();
    if !cluster.is_own() {
        return;
    }
    let topic = cluster.topic("idempotent", 1);
    let sender = Sender::new(
        &cluster,
        &[("enable.idempotence", "true"), ("linger.ms", "0")],
    );
    let values: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let (first, second) = values.split_at(10_000);
    first.iter().for_each(|value| sender.text(&topic, 0, value));
    std::thread::scope(|scope| {
        scope.spawn(|| cluster.restart());
        second
            .iter()
            .for_each(|value| sender.text(&topic, 0, value));
    });
    sender.flush();
    assert_eq!(texts(&cluster.read_committed(&topic)), values);
}

#[test]
fn a_record_above_the_maximum_is_refused() {
    let topic = cluster().topic("large", 1);
    let sender = Sender::new(cluster(), &[("message.max.bytes", "3000000")]);
    sender.text(&topic, 0, &"x".repeat(2_000_000));
    assert_eq!(
        sender.deliveries(),
        [Err(RDKafkaErrorCode::MessageSizeTooLarge)]
    );
    sender.text(&topic, 0, "small");
    sender.flush();
    assert_eq!(texts(&cluster().read_committed(&topic)), ["small"]);
}
