//! Which settings there are, for the broker and for a topic: names, types and defaults are Apache Kafka's.

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int,
    Long,
    Double,
    Text,
    List,
}

impl Kind {
    /// The number that DescribeConfigs gives for the type.
    pub(crate) fn wire(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::Text => 2,
            Kind::Int => 3,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
        }
    }
}

/// A setting: its name, its default, its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
    /// For a topic's configuration: the broker's setting that gives its default.
    pub(crate) inherits: Option<&'static str>,
}

const fn setting(name: &'static str, default: &'static str, kind: Kind) -> Definition {
    Definition {
        name,
        default,
        kind,
        inherits: None,
    }
}

const fn config(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    inherits: &'static str,
) -> Definition {
    Definition {
        name,
        default,
        kind,
        inherits: Some(inherits),
    }
}

/// The broker's settings. `group.initial.rebalance.delay.ms` is 0 here (3,000 in Apache Kafka), so that tests don't wait.
pub(crate) const BROKER: &[Definition] = &[
    setting("auto.create.topics.enable", "true", Kind::Boolean),
    setting("broker.id", "1", Kind::Int),
    setting("compression.type", "producer", Kind::Text),
    setting("connections.max.idle.ms", "600000", Kind::Long),
    setting("default.replication.factor", "1", Kind::Int),
    setting("delete.topic.enable", "true", Kind::Boolean),
    setting("fetch.max.bytes", "57671680", Kind::Int),
    setting("group.consumer.assignment.interval.ms", "1000", Kind::Int),
    setting("group.consumer.heartbeat.interval.ms", "5000", Kind::Int),
    setting("group.consumer.max.size", "2147483647", Kind::Int),
    setting(
        "group.consumer.migration.policy",
        "bidirectional",
        Kind::Text,
    ),
    setting("group.consumer.session.timeout.ms", "45000", Kind::Int),
    setting("group.initial.rebalance.delay.ms", "0", Kind::Int),
    setting("group.max.session.timeout.ms", "1800000", Kind::Int),
    setting("group.max.size", "2147483647", Kind::Int),
    setting("group.min.session.timeout.ms", "6000", Kind::Int),
    setting("log.cleaner.backoff.ms", "15000", Kind::Long),
    setting("log.cleaner.delete.retention.ms", "86400000", Kind::Long),
    setting("log.cleaner.enable", "true", Kind::Boolean),
    setting(
        "log.cleaner.max.compaction.lag.ms",
        "9223372036854775807",
        Kind::Long,
    ),
    setting("log.cleaner.min.cleanable.ratio", "0.5", Kind::Double),
    setting("log.cleaner.min.compaction.lag.ms", "0", Kind::Long),
    setting("log.cleanup.policy", "delete", Kind::List),
    setting("log.message.timestamp.after.max.ms", "3600000", Kind::Long),
    setting(
        "log.message.timestamp.before.max.ms",
        "9223372036854775807",
        Kind::Long,
    ),
    setting("log.message.timestamp.type", "CreateTime", Kind::Text),
    setting("log.retention.bytes", "-1", Kind::Long),
    setting("log.retention.check.interval.ms", "300000", Kind::Long),
    setting("log.retention.ms", "604800000", Kind::Long),
    setting("log.roll.ms", "604800000", Kind::Long),
    setting("log.segment.bytes", "1073741824", Kind::Int),
    setting(
        "max.incremental.fetch.session.cache.slots",
        "1000",
        Kind::Int,
    ),
    setting("max.connections", "2147483647", Kind::Int),
    setting("message.max.bytes", "1048588", Kind::Int),
    setting("min.insync.replicas", "1", Kind::Int),
    setting("num.partitions", "1", Kind::Int),
    setting("offset.metadata.max.bytes", "4096", Kind::Int),
    setting("offsets.retention.check.interval.ms", "600000", Kind::Long),
    setting("offsets.retention.minutes", "10080", Kind::Int),
    setting(
        "producer.id.expiration.check.interval.ms",
        "600000",
        Kind::Int,
    ),
    setting("producer.id.expiration.ms", "86400000", Kind::Int),
    setting("socket.request.max.bytes", "104857600", Kind::Int),
    setting(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "10000",
        Kind::Int,
    ),
    setting("transaction.max.timeout.ms", "900000", Kind::Int),
    setting("transactional.id.expiration.ms", "604800000", Kind::Int),
];

/// The configurations of a topic.
pub(crate) const TOPIC: &[Definition] = &[
    config("cleanup.policy", "delete", Kind::List, "log.cleanup.policy"),
    config(
        "compression.type",
        "producer",
        Kind::Text,
        "compression.type",
    ),
    setting("compression.gzip.level", "-1", Kind::Int),
    setting("compression.lz4.level", "9", Kind::Int),
    setting("compression.zstd.level", "3", Kind::Int),
    config(
        "delete.retention.ms",
        "86400000",
        Kind::Long,
        "log.cleaner.delete.retention.ms",
    ),
    setting("file.delete.delay.ms", "60000", Kind::Long),
    setting("follower.replication.throttled.replicas", "", Kind::List),
    setting("flush.messages", "9223372036854775807", Kind::Long),
    setting("flush.ms", "9223372036854775807", Kind::Long),
    setting("index.interval.bytes", "4096", Kind::Int),
    setting("leader.replication.throttled.replicas", "", Kind::List),
    setting("local.retention.bytes", "-2", Kind::Long),
    setting("local.retention.ms", "-2", Kind::Long),
    config(
        "max.compaction.lag.ms",
        "9223372036854775807",
        Kind::Long,
        "log.cleaner.max.compaction.lag.ms",
    ),
    config(
        "max.message.bytes",
        "1048588",
        Kind::Int,
        "message.max.bytes",
    ),
    config(
        "message.timestamp.after.max.ms",
        "3600000",
        Kind::Long,
        "log.message.timestamp.after.max.ms",
    ),
    config(
        "message.timestamp.before.max.ms",
        "9223372036854775807",
        Kind::Long,
        "log.message.timestamp.before.max.ms",
    ),
    config(
        "message.timestamp.type",
        "CreateTime",
        Kind::Text,
        "log.message.timestamp.type",
    ),
    config(
        "min.cleanable.dirty.ratio",
        "0.5",
        Kind::Double,
        "log.cleaner.min.cleanable.ratio",
    ),
    config(
        "min.compaction.lag.ms",
        "0",
        Kind::Long,
        "log.cleaner.min.compaction.lag.ms",
    ),
    config("min.insync.replicas", "1", Kind::Int, "min.insync.replicas"),
    setting("preallocate", "false", Kind::Boolean),
    setting("remote.log.copy.disable", "false", Kind::Boolean),
    setting("remote.log.delete.on.disable", "false", Kind::Boolean),
    setting("remote.storage.enable", "false", Kind::Boolean),
    config("retention.bytes", "-1", Kind::Long, "log.retention.bytes"),
    config("retention.ms", "604800000", Kind::Long, "log.retention.ms"),
    config(
        "segment.bytes",
        "1073741824",
        Kind::Int,
        "log.segment.bytes",
    ),
    setting("segment.index.bytes", "10485760", Kind::Int),
    setting("segment.jitter.ms", "0", Kind::Long),
    config("segment.ms", "604800000", Kind::Long, "log.roll.ms"),
    setting("unclean.leader.election.enable", "false", Kind::Boolean),
];
