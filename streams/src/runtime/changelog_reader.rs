//! Reads the changelogs that stores are restored from.
//!
//! A store's own changelog is read committed. The topic of a table that is its changelog is read as the job's inputs are, so
//! that a restore finds the rows that were processed: under at-least-once also those of transactions that are open or aborted.

use crate::config::Guarantee;
use crate::kafka::TopicPartition;
use crate::kafka::batch::OwnedMessage;
use crate::kafka::error::ClientError;
use crate::kafka::properties::Properties;
use crate::kafka::reader::PartitionReader;
use crate::topology::Topology;
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) struct ChangelogReader {
    committed: Assigned,
    as_inputs: Option<Inputs>,
}

/// The topics that are read uncommitted.
struct Inputs {
    topics: BTreeSet<String>,
    reader: Assigned,
}

struct Assigned {
    reader: PartitionReader,
    partitions: usize,
}

impl Assigned {
    fn new(reader: PartitionReader) -> Self {
        Self {
            reader,
            partitions: 0,
        }
    }

    fn assign(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        self.partitions = offsets.len();
        self.reader.assign(offsets)
    }
}

impl ChangelogReader {
    pub(super) fn new(properties: &Properties, topology: &Topology) -> Result<Self, ClientError> {
        let group = topology.application_id();
        let sources = topology.graph().stores.iter();
        let sources = sources.filter_map(|store| store.source.as_ref());
        let topics: BTreeSet<String> = match topology.config().guarantee {
            Guarantee::ExactlyOnce => BTreeSet::new(),
            Guarantee::AtLeastOnce => sources.map(|source| source.topic.clone()).collect(),
        };
        let inputs = |topics| {
            let reader = PartitionReader::uncommitted(properties, group)?;
            let reader = Assigned::new(reader);
            Ok(Inputs { topics, reader })
        };
        Ok(Self {
            committed: Assigned::new(PartitionReader::new(properties, group)?),
            as_inputs: Some(topics)
                .filter(|topics| !topics.is_empty())
                .map(inputs)
                .transpose()?,
        })
    }

    /// Tells where logs are stable.
    pub(super) fn committed(&self) -> &PartitionReader {
        &self.committed.reader
    }

    /// Reads these partitions, each from its offset on, and no other ones.
    pub(super) fn assign(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        let Some(inputs) = &mut self.as_inputs else {
            return self.committed.assign(offsets);
        };
        let is_input =
            |(partition, _): &(TopicPartition, i64)| inputs.topics.contains(&*partition.topic);
        let (of_inputs, own): (Vec<_>, Vec<_>) = offsets.iter().cloned().partition(is_input);
        inputs.reader.assign(&of_inputs)?;
        self.committed.assign(&own)
    }

    fn readers(&mut self) -> impl Iterator<Item = &mut PartitionReader> {
        let inputs = self.as_inputs.iter_mut().map(|inputs| &mut inputs.reader);
        let readers = std::iter::once(&mut self.committed).chain(inputs);
        readers
            .filter(|assigned| assigned.partitions > 0)
            .map(|assigned| &mut assigned.reader)
    }

    /// The records that have arrived, after waiting for a first one, `timeout` at most. Errors come among them.
    pub(super) fn read(&mut self, timeout: Duration) -> Vec<OwnedMessage> {
        let readers = u32::try_from(self.readers().count()).unwrap_or(1);
        let timeout = timeout / readers.max(1);
        self.readers()
            .flat_map(|reader| reader.read(timeout))
            .collect()
    }

    /// Where each partition stands: behind the last record read, and behind what follows it and is not to be read.
    pub(super) fn positions(&mut self) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        let positions: Result<Vec<_>, _> =
            self.readers().map(|reader| reader.positions()).collect();
        Ok(positions?.concat())
    }
}
