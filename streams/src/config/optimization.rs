//! What a topology saves of internal topics.

/// Which parts of the graph are built so that less goes through Kafka (`topology.optimization` of Kafka Streams). They
/// change which internal topics a job has, so it is a change like a rename of what is kept: see
/// [`TopologyBuilder::topology_optimization`](crate::TopologyBuilder::topology_optimization).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopologyOptimization {
    /// All as it is written. The default.
    #[default]
    None,
    /// Where several operators need equal keys of one stream together, its records go through one repartition topic, which is
    /// called after the first of them. Without it there is one for each operator.
    MergeRepartitionTopics,
    /// The topic of a source table is the changelog of its store too, and no other one is written: a store that lacks rows
    /// reads them there, up to where the job has processed it.
    ///
    /// Such a topic has to keep each row's newest record: its `cleanup.policy` must be `compact`, or its retention without
    /// limits, which is looked at before the job starts. What a restore reads is what the topic has then:
    ///
    /// - A record that was left out because something behind the table has failed on it (`on_error`) is in the table after a
    ///   restore, and so is what was there before a job that began at the end of its topics, once it has committed.
    /// - A record that cannot be read is left out where `on_error` leaves such records out; else the job ends with an error that
    ///   names it, since it cannot have processed it.
    /// - Partitions that are added to the topic are not noticed at the start, as they are where a changelog has fewer: rows whose
    ///   keys are sent to another partition from then on stay in the old one's table too.
    /// - A row that was overwritten behind the job's position may have been compacted away below it: a store that is lost then
    ///   lacks it until its new value is processed, and an aggregation of the table does not subtract the old one. A
    ///   `min.compaction.lag.ms` that is longer than the job ever stands still keeps such rows.
    ///
    /// A versioned table has a changelog of its own nevertheless, since no compacted topic keeps versions.
    ReuseKtableSourceTopics,
    /// Each of these.
    All,
}

impl TopologyOptimization {
    pub(crate) fn merges_repartition_topics(self) -> bool {
        matches!(self, Self::MergeRepartitionTopics | Self::All)
    }

    pub(crate) fn reuses_ktable_source_topics(self) -> bool {
        matches!(self, Self::ReuseKtableSourceTopics | Self::All)
    }
}
