//! What `retention.bytes` leaves of a topic.

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::producer::BaseRecord;
use streams_tests::{Isolation, Sender, TestCluster, wait_until};

use crate::SOON;

const RECORDS: usize = 40;
const RECORD: usize = 100_000;
/// `retention.bytes`, and `segment.bytes`, which cannot be less.
const LIMIT: usize = 1 << 20;

/// `UnifiedLog.deleteRetentionSizeBreachedSegments`: the oldest records go, as long as what is left is not less than the
/// limit; that is at most one segment, and a batch, more.
#[test]
fn records_above_the_size_limit_go_the_oldest_first() {
    let kafka = TestCluster::start_with(&[("log.retention.check.interval.ms", "500")]);
    if !kafka.is_own() {
        eprintln!("not tried: a cluster that runs already looks at its retention when it likes");
        return;
    }
    let name = kafka.unique("retained");
    let limit = LIMIT.to_string();
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1))
        .set("retention.bytes", &limit)
        .set("segment.bytes", &limit);
    kafka.create(&topic).unwrap();
    let sender = Sender::new(&kafka, &[("linger.ms", "0")]);
    let payload = "x".repeat(RECORD);
    for _ in 0..RECORDS {
        sender.send(
            BaseRecord::<str, str>::to(&name)
                .partition(0)
                .payload(&payload),
        );
        sender.flush();
    }
    let mut kept = Vec::new();
    // Apache Kafka looks for the first time 30 s after its start.
    wait_until("the oldest records are gone", SOON * 3, || {
        let records = kafka.read(&name, Isolation::Uncommitted);
        kept = records.iter().map(|record| record.offset).collect();
        kept.len() * RECORD <= 2 * LIMIT + RECORD
    });
    assert!(kept.len() * (RECORD + 100) >= LIMIT, "{kept:?}");
    let first = RECORDS - kept.len();
    let expected: Vec<_> = (first..RECORDS)
        .map(|offset| i64::try_from(offset).unwrap())
        .collect();
    assert_eq!(kept, expected);
}
