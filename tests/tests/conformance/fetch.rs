//! Where a reader may begin, and when it is answered.

use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;
use streams_tests::{Isolation, Member, Sender, eventually, wait_until};

use crate::{SOON, at, cluster, code, texts};

#[test]
fn an_offset_is_found_by_its_time() {
    let topic = cluster().topic("times", 1);
    let sender = Sender::new(cluster(), &[]);
    for time in [1_000, 2_000, 3_000] {
        sender.send(
            BaseRecord::<str, str>::to(&topic)
                .partition(0)
                .payload("x")
                .timestamp(time),
        );
    }
    sender.flush();
    let reader = Member::join(cluster(), &topic, &[], &[]);
    let found = |time| {
        let list = reader
            .consumer()
            .offsets_for_times(at(&topic, 0, time), SOON)
            .unwrap();
        list.elements()[0].offset()
    };
    assert_eq!(found(0), Offset::Offset(0));
    assert_eq!(found(1_001), Offset::Offset(1));
    assert_eq!(found(3_000), Offset::Offset(2));
    assert_eq!(found(3_001), Offset::End);
}

#[test]
fn a_fetch_outside_the_log_is_out_of_range() {
    let topic = cluster().topic("range", 1);
    cluster().produce_numbered(&topic, 1, 10);
    cluster().delete_records_before(&topic, 0, 4);
    for offset in [2, 11] {
        let reader = Member::join(cluster(), &topic, &[], &[("auto.offset.reset", "error")]);
        reader.consumer().assign(&at(&topic, 0, offset)).unwrap();
        let mut outcome = None;
        wait_until("the broker answers", SOON, || {
            outcome = reader.poll();
            outcome.is_some()
        });
        let error = outcome.unwrap().unwrap_err();
        // librdkafka's own code for an offset that the policy `error` leaves without a reset.
        assert_eq!(
            code(Err::<(), _>(error)),
            RDKafkaErrorCode::AutoOffsetReset,
            "offset {offset}"
        );
    }
    assert_eq!(
        texts(&cluster().read(&topic, Isolation::Committed)).len(),
        6
    );
}

#[test]
fn a_fetch_wakes_when_a_transaction_commits() {
    let topic = cluster().topic("wakes", 1);
    let sender = Sender::transactional(cluster(), &topic, &[]);
    let reader = Member::join(cluster(), &topic, &[], &[("fetch.wait.max.ms", "20000")]);
    reader.consumer().assign(&at(&topic, 0, 0)).unwrap();
    sender.begin();
    sender.text(&topic, 0, "x");
    sender.flush();
    let none = !eventually(Duration::from_secs(1), || reader.poll().is_some());
    assert!(none, "it is not committed yet");
    sender.commit();
    let committed = Instant::now();
    wait_until("the record comes", SOON, || {
        matches!(reader.poll(), Some(Ok(_)))
    });
    assert!(
        committed.elapsed() < Duration::from_secs(5),
        "{:?}",
        committed.elapsed()
    );
}
