//! What a value may be: its type, its words, its range, in Apache Kafka's words (`ConfigDef`, and its validators).

use std::ops::RangeInclusive;

use super::definitions::{Definition, Kind};

/// Says what is wrong with a value.
pub(super) fn check(definition: &Definition, value: &str) -> Result<(), String> {
    let value = value.trim();
    check_type(definition.kind, value)?;
    check_words(definition.name, value)?;
    check_range(definition.name, value)
}

fn check_type(kind: Kind, value: &str) -> Result<(), String> {
    let (is_legal, expected) = match kind {
        Kind::Boolean => (
            value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            "Expected value to be either true or false",
        ),
        Kind::Int => (value.parse::<i32>().is_ok(), "Not a number of type INT"),
        Kind::Long => (value.parse::<i64>().is_ok(), "Not a number of type LONG"),
        Kind::Double => (value.parse::<f64>().is_ok(), "Not a number of type DOUBLE"),
        Kind::Text | Kind::List => (true, ""),
    };
    said_unless(is_legal, || expected.to_owned())
}

fn said_unless(is_legal: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if is_legal { Ok(()) } else { Err(words()) }
}

/// The words of an enumerated setting.
fn check_words(name: &str, value: &str) -> Result<(), String> {
    let words: &[&str] = match name {
        "cleanup.policy" if value.is_empty() => return Ok(()),
        "remote.storage.enable" => {
            let is_off = !value.eq_ignore_ascii_case("true");
            return said_unless(is_off, || "there is no tiered storage".to_owned());
        }
        "follower.replication.throttled.replicas" | "leader.replication.throttled.replicas" => {
            return said_unless(is_throttled(value), || {
                "must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],..."
                    .to_owned()
            });
        }
        "cleanup.policy" | "log.cleanup.policy" => &["compact", "delete"],
        "message.timestamp.type" | "log.message.timestamp.type" => &["CreateTime", "LogAppendTime"],
        "compression.type" => &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        "group.consumer.migration.policy" => {
            let policies = ["disabled", "upgrade", "downgrade", "bidirectional"];
            let is_legal = policies.contains(&value.to_ascii_lowercase().as_str());
            return said_unless(is_legal, || one_of(&policies));
        }
        _ => return Ok(()),
    };
    let is_legal = value.split(',').all(|part| words.contains(&part.trim()));
    said_unless(is_legal, || one_of(words))
}

fn one_of(words: &[&str]) -> String {
    format!("String must be one of: {}", words.join(", "))
}

/// Whether these are replicas, each `PARTITION:BROKER`, or all of them (`ThrottledReplicaListValidator`).
fn is_throttled(value: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = |part: &str| {
        let pair = part.trim().split_once(':');
        pair.is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    matches!(value, "" | "*") || value.split(',').all(is_replica)
}

/// The levels that a codec has.
fn levels(name: &str) -> Option<RangeInclusive<i64>> {
    match name {
        "compression.gzip.level" => Some(1..=9),
        "compression.lz4.level" => Some(1..=17),
        "compression.zstd.level" => Some(-131_072..=22),
        _ => None,
    }
}

/// Where a number must lie.
fn check_range(name: &str, value: &str) -> Result<(), String> {
    if let Some(levels) = levels(name) {
        let level = value.parse::<i64>();
        // Of gzip, -1 stands for its own default.
        let is_default = name == "compression.gzip.level" && level == Ok(-1);
        let is_legal = is_default || level.is_ok_and(|level| levels.contains(&level));
        let (first, last) = levels.into_inner();
        return said_unless(is_legal, || {
            format!("Value must be between {first} and {last}")
        });
    }
    let least = match name {
        "segment.bytes" | "log.segment.bytes" => 1 << 20,
        "fetch.max.bytes" => 1_024,
        "segment.index.bytes" => 4,
        "flush.messages"
        | "group.consumer.heartbeat.interval.ms"
        | "group.consumer.max.size"
        | "group.consumer.session.timeout.ms"
        | "group.max.size"
        | "log.cleaner.max.compaction.lag.ms"
        | "log.retention.check.interval.ms"
        | "log.roll.ms"
        | "max.compaction.lag.ms"
        | "min.insync.replicas"
        | "num.partitions"
        | "offsets.retention.check.interval.ms"
        | "offsets.retention.minutes"
        | "producer.id.expiration.check.interval.ms"
        | "producer.id.expiration.ms"
        | "segment.ms"
        | "socket.request.max.bytes"
        | "transaction.abort.timed.out.transaction.cleanup.interval.ms"
        | "transaction.max.timeout.ms"
        | "transactional.id.expiration.ms" => 1,
        "broker.id"
        | "delete.retention.ms"
        | "file.delete.delay.ms"
        | "flush.ms"
        | "group.consumer.assignment.interval.ms"
        | "index.interval.bytes"
        | "log.cleaner.backoff.ms"
        | "log.cleaner.delete.retention.ms"
        | "log.cleaner.min.compaction.lag.ms"
        | "log.message.timestamp.after.max.ms"
        | "log.message.timestamp.before.max.ms"
        | "max.connections"
        | "max.incremental.fetch.session.cache.slots"
        | "max.message.bytes"
        | "message.max.bytes"
        | "message.timestamp.after.max.ms"
        | "message.timestamp.before.max.ms"
        | "min.compaction.lag.ms"
        | "segment.jitter.ms" => 0,
        "retention.ms" => -1,
        "local.retention.bytes" | "local.retention.ms" => -2,
        "log.retention.ms" => {
            let is_legal = value == "-1" || value.parse::<i64>().is_ok_and(|time| time >= 1);
            return said_unless(is_legal, || {
                "must be unlimited (-1) or, equal or greater than 1".to_owned()
            });
        }
        "default.replication.factor" => {
            return said_unless(value == "1", || {
                "there is one broker, so it must be 1".to_owned()
            });
        }
        "min.cleanable.dirty.ratio" | "log.cleaner.min.cleanable.ratio" => {
            let ratio = value.parse::<f64>();
            return match ratio {
                Ok(ratio) if ratio > 1.0 => Err("Value must be no more than 1".to_owned()),
                Ok(ratio) if ratio >= 0.0 => Ok(()),
                _ => Err("Value must be at least 0".to_owned()),
            };
        }
        _ => return Ok(()),
    };
    let is_legal = value.parse::<i64>().is_ok_and(|number| number >= least);
    said_unless(is_legal, || format!("Value must be at least {least}"))
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    fn refusal(name: &str, value: &str) -> String {
        let set = Settings::broker().set(name, value);
        set.err()
            .map(|invalid| invalid.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_apache_kafka_refuses_is_refused_in_its_words() {
        for (name, value, least) in [
            ("max.connections", "-1", 0),
            ("socket.request.max.bytes", "-1", 1),
            ("socket.request.max.bytes", "0", 1),
            ("broker.id", "-7", 0),
            ("transaction.max.timeout.ms", "-5", 1),
            ("log.cleaner.backoff.ms", "-9", 0),
            ("group.max.size", "0", 1),
            ("fetch.max.bytes", "1023", 1_024),
            ("log.segment.bytes", "1048575", 1_048_576),
        ] {
            let words = format!(
                "Invalid value {value} for configuration {name}: Value must be at least {least}"
            );
            assert_eq!(refusal(name, value), words);
            assert_eq!(refusal(name, &least.to_string()), "");
        }
        for (name, value, words) in [
            ("max.connections", "many", "Not a number of type INT"),
            ("log.roll.ms", "soon", "Not a number of type LONG"),
            ("auto.create.topics.enable", "yes", "either true or false"),
            (
                "log.cleanup.policy",
                "compress",
                "must be one of: compact, delete",
            ),
            ("default.replication.factor", "3", "there is one broker"),
            (
                "log.retention.ms",
                "0",
                "unlimited (-1) or, equal or greater than 1",
            ),
            ("log.cleaner.min.cleanable.ratio", "1.5", "no more than 1"),
        ] {
            let said = refusal(name, value);
            assert!(said.contains(words), "{name}={value}: {said}");
        }
    }

    #[test]
    fn what_has_no_effect_is_said_to_have_none() {
        for name in ["log.dirs", "no.such"] {
            assert!(refusal(name, "x").contains("has no effect"), "{name}");
        }
    }
}
