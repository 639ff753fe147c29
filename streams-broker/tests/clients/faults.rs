//! What goes wrong: restarts, lost answers, nonsense.

use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseProducer, Producer};
use streams_broker::{ApiKey, EmbeddedKafka, ErrorCode, Fault};

use crate::client::{PATIENCE, assigned, config, producer, send, take, transactional};

#[test]
fn a_restart_keeps_data_and_clients_go_on() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    let producer = transactional(&kafka, "tx");
    producer.begin_transaction().unwrap();
    send(&producer, "t", 0, "before");
    producer.flush(PATIENCE).unwrap();
    kafka.restart();
    send(&producer, "t", 0, "after");
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 2),
        ["before", "after"]
    );
}

#[test]
fn the_port_is_free_after_a_shutdown() {
    let kafka = EmbeddedKafka::start().unwrap();
    let address = kafka.bootstrap_servers().to_owned();
    kafka.shutdown();
    let again = EmbeddedKafka::builder()
        .listen(address.clone())
        .start()
        .unwrap();
    assert_eq!(again.bootstrap_servers(), address);
    assert!(EmbeddedKafka::builder().listen(address).start().is_err());
}

#[test]
fn a_commit_whose_answer_is_lost_is_committed_once() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    kafka.inject(Fault::cut_after(ApiKey::EndTxn).nth(1));
    kafka.inject(Fault::cut_after(ApiKey::Produce).nth(1));
    let producer = transactional(&kafka, "tx");
    producer.begin_transaction().unwrap();
    send(&producer, "t", 0, "once");
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 1),
        ["once"]
    );
    let count = |api| {
        kafka
            .requests()
            .iter()
            .filter(|request| request.api == api)
            .count()
    };
    assert!(
        count(ApiKey::EndTxn) >= 2,
        "the commit was not asked for again"
    );
    assert!(count(ApiKey::Produce) >= 2, "the record was not sent again");
    let (_, high) = assigned(&kafka, "t", 1, "read_committed")
        .fetch_watermarks("t", 0, PATIENCE)
        .unwrap();
    assert_eq!(high, 2, "one record and one marker");
}

#[test]
fn an_injected_error_reaches_the_client() {
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    // Which no client repeats.
    let refused = ErrorCode::TransactionalIdAuthorizationFailed;
    kafka.inject(Fault::fail(ApiKey::InitProducerId, refused).first(1));
    let mut config = config(&kafka);
    let producer: BaseProducer = config.set("transactional.id", "tx").create().unwrap();
    assert!(producer.init_transactions(PATIENCE).is_err());
    // Which every client repeats.
    let busy = ErrorCode::ConcurrentTransactions;
    kafka.inject(Fault::fail(ApiKey::InitProducerId, busy).first(2));
    transactional(&kafka, "other");
}

#[test]
fn frames_of_nonsense_close_their_connection_only() {
    use std::io::{Read, Write};
    let kafka = EmbeddedKafka::builder().topic("t", 1).start().unwrap();
    for frame in [
        &[0xff_u8; 64][..],
        &[0; 64],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 8, 0, 3, 0, 9, 0, 0, 0, 1],
    ] {
        let mut stream = std::net::TcpStream::connect(kafka.bootstrap_servers()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(frame).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Closed, in whatever way; what was answered before doesn't matter.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let producer = producer(&kafka);
    send(&producer, "t", 0, "alive");
    producer.flush(PATIENCE).unwrap();
    assert_eq!(
        take(&assigned(&kafka, "t", 1, "read_committed"), 1),
        ["alive"]
    );
}
