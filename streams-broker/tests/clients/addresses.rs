//! Where clients connect to, and where they are told to go.

use rdkafka::consumer::Consumer;
use rdkafka::producer::Producer;
use streams_broker::EmbeddedKafka;

use crate::client::{PATIENCE, assigned, producer, send, take};

#[test]
fn clients_go_where_the_broker_tells_them() {
    let kafka = EmbeddedKafka::builder()
        .listen("0.0.0.0:0")
        .advertised_listener("localhost:0")
        .topic("t", 1)
        .start()
        .unwrap();
    let (address, port) = (kafka.local_addr(), kafka.local_addr().port());
    assert!(address.ip().is_unspecified() && port != 0, "{address}");
    assert_eq!(kafka.bootstrap_servers(), format!("localhost:{port}"));
    let producer = producer(&kafka);
    send(&producer, "t", 0, "here");
    producer.flush(PATIENCE).unwrap();
    let consumer = assigned(&kafka, "t", 1, "read_committed");
    assert_eq!(take(&consumer, 1), ["here"]);
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    let brokers = metadata.brokers().iter();
    let told: Vec<_> = brokers
        .map(|broker| (broker.host(), broker.port()))
        .collect();
    assert_eq!(told, [("localhost", i32::from(port))]);
}
