//! How far a run on the embedded Kafka had come when it was stopped: what it shows then looks the same as if it were all.

use crate::Result;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Admin;
use crate::kafka::offsets::LogEnd;
use crate::kafka::properties::Properties;
use crate::kafka::reader::PartitionReader;
use crate::topology::Topology;
use std::time::Duration;

/// How long a question to the broker may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How much of a source topic was read. Its records were written without transactions, so offsets count them.
#[derive(Debug)]
struct Progress {
    topic: String,
    read: i64,
    written: i64,
}

/// What to say above what is shown.
pub(super) fn told(properties: &Properties, topology: &Topology) -> Result<String> {
    let admin = Admin::new(properties)?;
    let counts = admin.topics(LIMIT)?;
    let reader = PartitionReader::new(properties, topology.application_id())?;
    let mut progress = Vec::new();
    for topic in topology.source_topics() {
        let count = counts.get(topic).copied().unwrap_or_default();
        let partitions: Vec<TopicPartition> = (0..count)
            .map(|partition| TopicPartition::new(topic, partition))
            .collect();
        let committed = reader.committed(&partitions, LIMIT)?;
        let ends = admin.log_offsets(&partitions, LogEnd::Last, LIMIT)?;
        progress.push(Progress {
            topic: topic.to_owned(),
            read: committed.iter().map(|(_, offset)| offset.max(&0)).sum(),
            written: ends.iter().sum(),
        });
    }
    Ok(text(&progress))
}

fn text(progress: &[Progress]) -> String {
    let behind = progress.iter().filter(|of| of.read < of.written);
    let behind: Vec<String> = behind
        .map(|of| format!("{} of {} records of `{}`", of.read, of.written, of.topic))
        .collect();
    match behind.is_empty() {
        true => "Stopped when all records were read; what was still on its way to another part of the job is not in this:".to_owned(),
        false => format!("Stopped before all was read; this is of {}:", behind.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_were_not_read_to_their_ends_are_told() {
        let of = |topic: &str, read, written| Progress {
            topic: topic.to_owned(),
            read,
            written,
        };
        assert_eq!(
            text(&[
                of("flights", 812, 27_004),
                of("airlines", 16, 16),
                of("weather", 0, 9)
            ]),
            "Stopped before all was read; this is of 812 of 27004 records of `flights`, 0 of 9 records of `weather`:"
        );
        assert_eq!(
            text(&[of("airlines", 16, 16)]),
            "Stopped when all records were read; what was still on its way to another part of the job is not in this:"
        );
    }
}
