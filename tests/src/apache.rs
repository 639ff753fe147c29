//! What Apache Kafka is started with, in a JVM of its own and in a container alike.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Random;

/// The version whose jars are in `kafka/pom.xml`, and the tag of the image.
pub(crate) const VERSION: &str = "4.3.1";

/// The settings that make Kafka of use for tests: without pauses that suit a cluster of many.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("log.cleaner.backoff.ms", "200"),
    ("num.partitions", "1"),
    ("num.recovery.threads.per.data.dir", "2"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
];

/// The settings by which each of so many nodes holds all that there is, and one of several can be missing. By default a
/// transaction would wait for three nodes.
pub(crate) fn replication(nodes: usize) -> [(&'static str, String); 5] {
    let (all, enough) = (nodes.to_string(), nodes.div_ceil(2).to_string());
    [
        ("default.replication.factor", all.clone()),
        ("min.insync.replicas", enough.clone()),
        ("offsets.topic.replication.factor", all.clone()),
        ("transaction.state.log.replication.factor", all),
        ("transaction.state.log.min.isr", enough),
    ]
}

/// Ports are taken from below the range that the kernel hands to outgoing connections, so that a node finds
/// its port free again when it comes back.
const PORTS: (u64, u64) = (20_000, 32_000);

/// Ports that differ and that nobody listens on.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let mut random = Random::new(
        u64::try_from(now & u128::from(u64::MAX)).unwrap_or(0) ^ u64::from(std::process::id()),
    );
    // All are held until all are found, so that they differ.
    let listen = |_| {
        (0..1_000)
            .find_map(|_| {
                let port = u16::try_from(random.between(PORTS.0, PORTS.1)).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
            })
            .expect("a free port")
    };
    let listeners: Vec<TcpListener> = (0..count).map(listen).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("a bound port").port();
    listeners.iter().map(port).collect()
}
