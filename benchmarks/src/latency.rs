//! End-to-end latency: from the moment a record is written to the moment a read-committed consumer has it.

use crate::contestant::{Contestant, Run};
use crate::{Failure, feed};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use streams_tests::TestCluster;

/// What the first seconds show is start-up.
const WARM_UP: Duration = Duration::from_secs(5);

pub(crate) fn compare(rate: u64, measured: Duration, interval_ms: u64) -> Result<(), Failure> {
    let cluster = TestCluster::shared();
    println!(
        "{rate} records/s, checkpoint every {interval_ms} ms\n{:>8}  {:>8}  {:>8}  {:>8}",
        "", "p50 ms", "p99 ms", "max ms"
    );
    for contestant in [Contestant::Bare, Contestant::Streams] {
        let (input, output) = (
            cluster.topic("latency-in", 4),
            cluster.topic("latency-out", 4),
        );
        let run = Run::new(
            contestant,
            cluster.bootstrap_servers(),
            &input,
            &output,
            0,
            interval_ms,
        );
        let mut process = run.command()?.stdout(std::process::Stdio::null()).spawn()?;
        let measured = measure(&run, rate, measured);
        process.kill()?;
        process.wait()?;
        let mut latencies = measured?;
        latencies.sort_unstable();
        let at = |part: f64| {
            latencies
                .get((latencies.len() as f64 * part) as usize)
                .or(latencies.last())
                .copied()
                .unwrap_or(0)
        };
        println!(
            "{:>8}  {:>8}  {:>8}  {:>8}",
            contestant.name(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    Ok(())
}

/// Writes at the given rate and reads what comes out: the latencies in milliseconds, after the warm-up.
fn measure(run: &Run, rate: u64, measured: Duration) -> Result<Vec<i64>, Failure> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &run.bootstrap_servers)
        .set("linger.ms", "0")
        .create()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &run.bootstrap_servers)
        .set("group.id", "latency")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "500")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..4 {
        partitions.add_partition_offset(&run.output, partition, Offset::Beginning)?;
    }
    consumer.assign(&partitions)?;
    let (start, mut sent, mut latencies) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < WARM_UP + measured {
        while sent < u64::try_from(start.elapsed().as_millis())? * rate / 1_000 {
            let text = feed::text(sent);
            let partition = i32::try_from(sent % 4)?;
            let record = BaseRecord::<(), str>::to(&run.input)
                .payload(&text)
                .partition(partition)
                .timestamp(feed::now()?);
            producer.send(record).map_err(|(error, _)| error)?;
            sent += 1;
        }
        producer.poll(Duration::ZERO);
        while let Some(message) = consumer.poll(Duration::from_millis(1)) {
            let written = message?
                .timestamp()
                .to_millis()
                .ok_or("a record without a timestamp")?;
            let now = feed::now()?;
            if start.elapsed() > WARM_UP {
                latencies.push(now - written);
            }
            if sent < u64::try_from(start.elapsed().as_millis())? * rate / 1_000 {
                break;
            }
        }
    }
    producer.flush(Duration::from_secs(10))?;
    if latencies.is_empty() {
        Err("nothing came out".into())
    } else {
        Ok(latencies)
    }
}
