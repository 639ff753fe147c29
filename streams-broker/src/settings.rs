//! Settings of the broker and configurations of its topics, under Apache Kafka's names and defaults.
//!
//! Invariant: a stored value has been checked against its type, so reading one cannot fail. A topic's configuration is
//! what was set for the topic, else the broker's setting that it inherits from, else the default.

use std::collections::BTreeMap;

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int,
    Long,
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
            Kind::List => 7,
        }
    }

    fn admits(self, value: &str) -> bool {
        match self {
            Kind::Boolean => {
                value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
            }
            Kind::Int => value.trim().parse::<i32>().is_ok(),
            Kind::Long => value.trim().parse::<i64>().is_ok(),
            Kind::Text | Kind::List => true,
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
    setting("default.replication.factor", "1", Kind::Int),
    setting("delete.topic.enable", "true", Kind::Boolean),
    setting("group.initial.rebalance.delay.ms", "0", Kind::Int),
    setting("group.max.session.timeout.ms", "1800000", Kind::Int),
    setting("group.max.size", "2147483647", Kind::Int),
    setting("group.min.session.timeout.ms", "6000", Kind::Int),
    setting("log.cleanup.policy", "delete", Kind::List),
    setting("log.message.timestamp.type", "CreateTime", Kind::Text),
    setting("log.retention.bytes", "-1", Kind::Long),
    setting("log.retention.check.interval.ms", "300000", Kind::Long),
    setting("log.retention.ms", "604800000", Kind::Long),
    setting("log.segment.bytes", "1073741824", Kind::Int),
    setting("message.max.bytes", "1048588", Kind::Int),
    setting("min.insync.replicas", "1", Kind::Int),
    setting("num.partitions", "1", Kind::Int),
    setting("offset.metadata.max.bytes", "4096", Kind::Int),
    setting("socket.request.max.bytes", "104857600", Kind::Int),
    setting(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "10000",
        Kind::Int,
    ),
    setting("transaction.max.timeout.ms", "900000", Kind::Int),
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
    setting("delete.retention.ms", "86400000", Kind::Long),
    setting("file.delete.delay.ms", "60000", Kind::Long),
    setting("flush.messages", "9223372036854775807", Kind::Long),
    setting("flush.ms", "9223372036854775807", Kind::Long),
    setting("index.interval.bytes", "4096", Kind::Int),
    setting("max.compaction.lag.ms", "9223372036854775807", Kind::Long),
    config(
        "max.message.bytes",
        "1048588",
        Kind::Int,
        "message.max.bytes",
    ),
    setting("message.timestamp.after.max.ms", "3600000", Kind::Long),
    setting(
        "message.timestamp.before.max.ms",
        "9223372036854775807",
        Kind::Long,
    ),
    config(
        "message.timestamp.type",
        "CreateTime",
        Kind::Text,
        "log.message.timestamp.type",
    ),
    setting("min.cleanable.dirty.ratio", "0.5", Kind::Text),
    setting("min.compaction.lag.ms", "0", Kind::Long),
    config("min.insync.replicas", "1", Kind::Int, "min.insync.replicas"),
    setting("preallocate", "false", Kind::Boolean),
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
    setting("segment.ms", "604800000", Kind::Long),
    setting("unclean.leader.election.enable", "false", Kind::Boolean),
];

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("unknown setting {0}")]
    Unknown(String),
    #[error("invalid value {value} for {name}")]
    Value { name: String, value: String },
}

/// Values that were set, by name; the rest are the definitions' defaults.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    definitions: &'static [Definition],
    set: BTreeMap<&'static str, String>,
}

impl Settings {
    /// The broker's, all at their defaults.
    pub(crate) fn broker() -> Self {
        Self {
            definitions: BROKER,
            set: BTreeMap::new(),
        }
    }

    /// A topic's, all inherited.
    pub(crate) fn topic() -> Self {
        Self {
            definitions: TOPIC,
            set: BTreeMap::new(),
        }
    }

    pub(crate) fn definition(&self, name: &str) -> Option<&'static Definition> {
        self.definitions
            .iter()
            .find(|definition| definition.name == name)
    }

    /// Sets one value, or refuses it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        let definition = self
            .definition(name)
            .ok_or_else(|| Invalid::Unknown(name.to_owned()))?;
        if !definition.kind.admits(value) || !known_words(name, value) {
            return Err(Invalid::Value {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
        self.set.insert(definition.name, value.trim().to_owned());
        Ok(())
    }

    /// Goes back to what is inherited.
    pub(crate) fn unset(&mut self, name: &str) -> Result<(), Invalid> {
        let definition = self
            .definition(name)
            .ok_or_else(|| Invalid::Unknown(name.to_owned()))?;
        self.set.remove(definition.name);
        Ok(())
    }

    /// The value that was set, if one was.
    pub(crate) fn explicit(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// The value that holds for the broker.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.explicit(name)
            .or_else(|| self.definition(name).map(|found| found.default))
            .unwrap_or_default()
    }

    /// The value that holds, as a number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// The value that holds, as an int of the protocol.
    pub(crate) fn int(&self, name: &str) -> i32 {
        self.text(name).parse().unwrap_or_default()
    }

    /// The value that holds, as a truth.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).eq_ignore_ascii_case("true")
    }

    /// The value that holds for a topic with these configurations, on this broker.
    pub(crate) fn for_topic<'a>(&'a self, broker: &'a Settings, name: &str) -> &'a str {
        let inherited = || {
            let parent = self.definition(name)?.inherits?;
            Some(broker.text(parent))
        };
        self.explicit(name)
            .or_else(inherited)
            .unwrap_or_else(|| self.text(name))
    }

    /// The names that exist.
    pub(crate) fn definitions(&self) -> &'static [Definition] {
        self.definitions
    }
}

/// Whether the words of an enumerated setting are legal.
fn known_words(name: &str, value: &str) -> bool {
    let words: &[&str] = match name {
        "cleanup.policy" | "log.cleanup.policy" => &["delete", "compact"],
        "message.timestamp.type" | "log.message.timestamp.type" => &["CreateTime", "LogAppendTime"],
        "compression.type" => &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        _ => return true,
    };
    value.split(',').all(|part| words.contains(&part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_inherits_from_the_broker_and_overrides_it() {
        let mut broker = Settings::broker();
        let mut topic = Settings::topic();
        assert_eq!(topic.for_topic(&broker, "max.message.bytes"), "1048588");
        assert_eq!(broker.set("message.max.bytes", "2000"), Ok(()));
        assert_eq!(topic.for_topic(&broker, "max.message.bytes"), "2000");
        assert_eq!(topic.set("max.message.bytes", "10"), Ok(()));
        assert_eq!(topic.for_topic(&broker, "max.message.bytes"), "10");
    }

    #[test]
    fn wrong_names_and_values_are_refused() {
        let mut topic = Settings::topic();
        assert!(matches!(
            topic.set("no.such", "1"),
            Err(Invalid::Unknown(_))
        ));
        assert!(matches!(
            topic.set("retention.ms", "soon"),
            Err(Invalid::Value { .. })
        ));
        assert!(matches!(
            topic.set("cleanup.policy", "compress"),
            Err(Invalid::Value { .. })
        ));
        assert_eq!(topic.set("cleanup.policy", "compact,delete"), Ok(()));
    }

    #[test]
    fn every_default_is_legal() {
        for (mut settings, definitions) in
            [(Settings::broker(), BROKER), (Settings::topic(), TOPIC)]
        {
            for definition in definitions {
                assert_eq!(settings.set(definition.name, definition.default), Ok(()));
            }
        }
    }
}
