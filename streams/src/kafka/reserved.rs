//! Properties that are the runtime's own, or may only have a value that the guarantees allow: refused where they are set, before
//! any client is made.

/// Properties that librdkafka has under two names, each with the one that is used here. Without it a value under the one name
/// and a value under the other would both be set, and chance would decide.
const ALIASES: &[(&str, &str)] = &[
    ("compression.codec", "compression.type"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("max.in.flight.requests.per.connection", "max.in.flight"),
    ("message.send.max.retries", "retries"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

/// Properties that the runtime sets itself, and the reason why a user may not.
const RESERVED: &[(&str, &str)] = &[
    ("enable.auto.commit", COMMITS),
    // What it was called before, of a topic.
    ("auto.commit.enable", COMMITS),
    (
        "enable.auto.offset.store",
        "offsets are committed by checkpoints; leave it out",
    ),
    (
        "enable.partition.eof",
        "positions would be wrong after a rebalance; leave it out",
    ),
    (
        "isolation.level",
        "it follows from the guarantee; leave it out, or set `guarantee`",
    ),
    ("transactional.id", "set `transactional_id_prefix`"),
    ("transaction.timeout.ms", "set `transaction_timeout`"),
    ("group.id", "it is the application id; set `application_id`"),
    (
        "group.instance.id",
        "it follows from the instance id in the state directory; leave it out",
    ),
    (
        "group.protocol.type",
        "all members of a job's group are consumers; leave it out",
    ),
    ("auto.offset.reset", "set `offset_reset`"),
    ("partition.assignment.strategy", RANGE),
    ("group.remote.assignor", RANGE),
    (
        "enable.idempotence",
        "producers of a job are always idempotent; leave it out",
    ),
    (
        "delivery.report.only.error",
        "the runtime asks for no other delivery reports; leave it out",
    ),
    (
        "partitioner",
        "keys choose partitions as Java's producer does, so that equal keys meet; leave it out",
    ),
    (
        "log.queue",
        "the runtime reads the client's log; leave it out",
    ),
];

const COMMITS: &str = "offsets are committed by checkpoints; leave it out, and set `checkpoint_interval` for how often";

const RANGE: &str = "a task needs the partitions of one number of all its topics, which `range` gives to one member; leave it out";

/// Properties of a producer that loses nothing and writes nothing twice, with the values that it may have.
const IDEMPOTENT: &[(&str, Allowed, &str)] = &[
    (
        "acks",
        Allowed::OneOf(&["all", "-1"]),
        "every replica in sync has to have a record before it counts as written",
    ),
    (
        "retries",
        Allowed::AtLeast(1),
        "a request whose answer is lost has to be sent again",
    ),
    (
        "max.in.flight",
        Allowed::AtMost(5),
        "brokers tell duplicates among the last 5 requests",
    ),
    (
        "queuing.strategy",
        Allowed::OneOf(&["fifo"]),
        "records have to stay in their order",
    ),
    (
        "queue.buffering.backpressure.threshold",
        Allowed::AtMost(1),
        "an idempotent producer knows no other",
    ),
];

enum Allowed {
    OneOf(&'static [&'static str]),
    AtLeast(i64),
    AtMost(i64),
}

impl Allowed {
    /// Whether `value` is allowed; one that is no number at all is librdkafka's to refuse.
    fn allows(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|v| v.eq_ignore_ascii_case(value)),
            Self::AtLeast(least) => value.parse().map_or(true, |found: i64| found >= *least),
            Self::AtMost(most) => value.parse().map_or(true, |found: i64| found <= *most),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::OneOf(values) => {
                let values: Vec<_> = values.iter().map(|v| format!("`{v}`")).collect();
                values.join(" or ")
            }
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
        }
    }
}

/// The one name of a property.
pub(super) fn canonical(key: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == key);
    alias.map_or(key, |(_, name)| name)
}

/// Whether a user may set the property to that value.
///
/// # Errors
///
/// Why not, and what to do instead.
pub(super) fn permit(key: &str, value: &str) -> Result<(), String> {
    let name = canonical(key);
    if let Some((_, why)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        return Err(format!("`{key}` cannot be set as a property: {why}"));
    }
    match IDEMPOTENT.iter().find(|(property, ..)| *property == name) {
        Some((_, allowed, why)) if !allowed.allows(value.trim()) => Err(format!(
            "property `{key}` is `{value}`, but producers of a job are idempotent, so it has to be {}: {why}; leave it out",
            allowed.words()
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_guarantee_depends_on_is_refused_under_each_of_its_names() {
        for (key, value, remedy) in [
            ("transactional.id", "mine", "set `transactional_id_prefix`"),
            ("enable.auto.commit", "true", "set `checkpoint_interval`"),
            ("auto.commit.enable", "true", "set `checkpoint_interval`"),
            ("group.id", "mine", "set `application_id`"),
            ("isolation.level", "read_uncommitted", "set `guarantee`"),
            ("partitioner", "random", "leave it out"),
        ] {
            let error = permit(key, value).unwrap_err();
            assert!(error.contains(remedy), "{error}");
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn a_value_that_loses_or_doubles_records_is_refused_and_others_are_not() {
        for (key, wrong, right) in [
            ("acks", "1", "all"),
            ("request.required.acks", "0", "-1"),
            ("retries", "0", "3"),
            ("message.send.max.retries", "0", "1"),
            ("max.in.flight", "6", "5"),
            ("max.in.flight.requests.per.connection", "1000", "1"),
            ("queuing.strategy", "lifo", "fifo"),
            ("queue.buffering.backpressure.threshold", "2", "1"),
        ] {
            let error = permit(key, wrong).unwrap_err();
            for word in [key, wrong, "leave it out"] {
                assert!(error.contains(word), "{error}");
            }
            permit(key, right).unwrap();
        }
    }

    /// As librdkafka's own table has them.
    #[test]
    fn an_alias_is_known_to_the_client_and_means_what_it_stands_for() {
        for (alias, name) in ALIASES {
            let value = match *name {
                "bootstrap.servers" => "a:1",
                "compression.type" => "lz4",
                "sasl.mechanism" => "PLAIN",
                "acks" => "1",
                _ => "2000",
            };
            let mut config = rdkafka::ClientConfig::new();
            config.set(*alias, value);
            let native = config.create_native_config().unwrap();
            // The topic's part of a configuration is not told under all names.
            if let Ok(told) = native.get(name) {
                assert_eq!(told, value, "{alias}");
            }
        }
    }
}
