//! Connections: how many there are, and how long a client may keep one waiting.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, TopicName};
use streams_broker::{ApiKey, EmbeddedKafka, Fault};

use super::{PATIENCE, wire};
use crate::wire::{batch, text};

fn is_refused(kafka: &EmbeddedKafka) -> bool {
    is_refused_within(kafka, Duration::from_millis(50))
}

fn is_refused_within(kafka: &EmbeddedKafka, time: Duration) -> bool {
    let mut stream = TcpStream::connect(kafka.bootstrap_servers()).unwrap();
    stream.set_read_timeout(Some(time)).unwrap();
    let nothing = stream.read_exact(&mut [0]).unwrap_err().kind();
    !matches!(nothing, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[test]
fn connections_above_the_limit_are_refused_until_others_go() {
    let kafka = EmbeddedKafka::builder()
        .setting("max.connections", "2")
        .start()
        .unwrap();
    let mut held = [wire(&kafka), wire(&kafka)];
    for wire in &mut held {
        wire.ask(3, ApiVersionsRequest::default());
    }
    assert!(is_refused(&kafka));
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    while is_refused(&kafka) {
        assert!(Instant::now() < deadline, "there is still no room");
    }
}

#[test]
fn two_hundred_idle_connections_do_no_harm() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let mut idle: Vec<_> = (0..200).map(|_| wire(&kafka)).collect();
    let one = batch((-1, -1), -1, 1, false);
    assert_eq!(wire(&kafka).produce(None, "t", 0, &one), (0, 0));
    for wire in &mut idle {
        wire.patience(PATIENCE);
        wire.ask(3, ApiVersionsRequest::default());
    }
}

#[test]
fn a_connection_that_asks_nothing_is_closed() {
    let kafka = EmbeddedKafka::builder()
        .setting("connections.max.idle.ms", "100")
        .start()
        .unwrap();
    let mut idle = wire(&kafka);
    idle.ask(3, ApiVersionsRequest::default());
    idle.patience(PATIENCE);
    let began = Instant::now();
    let ended = idle.answer::<ApiVersionsRequest>(3).unwrap_err().kind();
    assert!(
        matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{ended}"
    );
    assert!(began.elapsed() < PATIENCE);
}

/// A fetch may wait for 24 days.
#[test]
fn a_client_that_is_gone_is_not_waited_for() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 1)
        .setting("max.connections", "1")
        .start()
        .unwrap();
    let mut gone = wire(&kafka);
    let topic = FetchTopic::default()
        .with_topic(TopicName(text("t")))
        .with_partitions(vec![
            FetchPartition::default().with_partition_max_bytes(1_000),
        ]);
    let fetch = FetchRequest::default()
        .with_max_wait_ms(i32::MAX)
        .with_min_bytes(1)
        .with_max_bytes(1_000)
        .with_topics(vec![topic]);
    gone.send(11, &fetch);
    let deadline = Instant::now() + PATIENCE;
    while !kafka.requests().iter().any(|r| r.api == ApiKey::Fetch) {
        assert!(Instant::now() < deadline, "the fetch has not come");
    }
    assert!(is_refused_within(&kafka, Duration::from_secs(1)));
    drop(gone);
    while is_refused_within(&kafka, Duration::from_secs(1)) {
        assert!(Instant::now() < deadline, "it is still there");
    }
}

#[test]
fn a_connection_that_waits_for_its_answer_for_too_long_is_closed() {
    let kafka = EmbeddedKafka::builder()
        .setting("connections.max.idle.ms", "2000")
        .start()
        .unwrap();
    let held = kafka.inject(Fault::hold(ApiKey::Metadata));
    let mut waiting = wire(&kafka);
    waiting.send(12, &MetadataRequest::default());
    waiting.patience(PATIENCE);
    let ended = waiting.answer::<MetadataRequest>(12).unwrap_err().kind();
    assert!(
        matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{ended}"
    );
    drop(held);
}

/// `EmbeddedKafka::pause`: connections stay.
#[test]
fn no_connection_is_closed_while_the_broker_stands_still() {
    let kafka = EmbeddedKafka::builder()
        .setting("connections.max.idle.ms", "2000")
        .start()
        .unwrap();
    let mut silent = wire(&kafka);
    silent.ask(3, ApiVersionsRequest::default());
    kafka.pause();
    silent.patience(Duration::from_secs(3));
    let waits = silent.answer::<ApiVersionsRequest>(3).unwrap_err().kind();
    assert!(
        matches!(waits, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{waits}"
    );
    kafka.resume();
    silent.patience(PATIENCE);
    let ended = silent.answer::<ApiVersionsRequest>(3).unwrap_err().kind();
    assert!(
        matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{ended}"
    );
}

/// Its answers would be kept for as long as it likes.
#[test]
fn a_connection_that_takes_no_answer_is_closed() {
    let kafka = EmbeddedKafka::builder()
        .topic("t", 10_000)
        .setting("connections.max.idle.ms", "2000")
        .setting("max.connections", "1")
        .start()
        .unwrap();
    let mut busy = wire(&kafka);
    // More than what the system keeps for it.
    for _ in 0..100 {
        busy.send(12, &MetadataRequest::default().with_topics(None));
    }
    let deadline = Instant::now() + PATIENCE;
    // A broker that is busy needs a while to refuse; who is not refused is idle soon.
    while is_refused_within(&kafka, Duration::from_secs(1)) {
        assert!(Instant::now() < deadline, "it is still there");
    }
    assert!(kafka.requests().len() < 100);
}
