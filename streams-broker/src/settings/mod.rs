//! Settings of the broker and configurations of its topics, under Apache Kafka's names and defaults.
//!
//! Invariant: a stored value has been checked against its type, so reading one cannot fail. A topic's configuration is
//! what was set for the topic, else the broker's setting that it inherits from, else the default.

mod definitions;
mod rules;

use std::collections::BTreeMap;

use self::definitions::{BROKER, TOPIC};
pub(crate) use self::definitions::{Definition, Kind};

/// How long a value may be, as Java counts it: in UTF-16.
const LONGEST: usize = 32_767;

/// What a value takes beside its text.
const VALUE_BYTES: usize = 64;

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error(
        "{name} has no effect on the embedded broker, or Apache Kafka has no setting of that name: leave it out; there is \
         {known}"
    )]
    Unknown { name: String, known: String },
    #[error(
        "The configuration value cannot be added because it exceeds the maximum value size of {LONGEST} bytes."
    )]
    TooLong,
    /// In the words of Apache Kafka's `ConfigException`.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Value {
        name: String,
        value: String,
        reason: String,
    },
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

    fn known(&self, name: &str) -> Result<&'static Definition, Invalid> {
        self.definition(name).ok_or_else(|| {
            let names: Vec<_> = self.definitions.iter().map(|one| one.name).collect();
            Invalid::Unknown {
                name: name.to_owned(),
                known: names.join(", "),
            }
        })
    }

    /// Sets one value, or refuses it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        if value.encode_utf16().count() > LONGEST {
            return Err(Invalid::TooLong);
        }
        let definition = self.known(name)?;
        rules::check(definition, value).map_err(|reason| Invalid::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            reason,
        })?;
        self.set.insert(definition.name, value.trim().to_owned());
        Ok(())
    }

    /// Sets the broker's settings, also those that say the same in another unit or under another name. Of several that say
    /// the same the one with the smallest unit holds, as in Apache Kafka.
    pub(crate) fn set_all(&mut self, values: &[(String, String)]) -> Result<(), Invalid> {
        let mut spelled: Vec<_> = values
            .iter()
            .map(|(name, value)| (spelling(name), name, value))
            .collect();
        spelled.sort_by_key(|((_, unit), ..)| std::cmp::Reverse(*unit));
        for ((canonical, unit), name, value) in spelled {
            let in_unit = value.trim().parse::<i64>().ok().filter(|_| unit > 1);
            let value = match in_unit {
                // Any negative number stands for no limit.
                Some(negative @ ..0) => negative.max(-1).to_string(),
                Some(number) => number.saturating_mul(unit).to_string(),
                None => value.clone(),
            };
            self.set(canonical.unwrap_or(name), &value)?;
        }
        Ok(())
    }

    /// Goes back to what is inherited.
    pub(crate) fn unset(&mut self, name: &str) {
        self.set.remove(name);
    }

    /// The memory that the values take that were set, about.
    pub(crate) fn footprint(&self) -> usize {
        let of_one = |value: &String| VALUE_BYTES + value.len();
        self.set.values().map(of_one).sum()
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

/// The name under which a setting is kept, where it is another one, and how many of its units one of the given unit has.
fn spelling(name: &str) -> (Option<&'static str>, i64) {
    match name {
        "node.id" => (Some("broker.id"), 1),
        "log.retention.hours" => (Some("log.retention.ms"), 3_600_000),
        "log.retention.minutes" => (Some("log.retention.ms"), 60_000),
        "log.roll.hours" => (Some("log.roll.ms"), 3_600_000),
        _ => (None, 1),
    }
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
            Err(Invalid::Unknown { .. })
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
    fn a_setting_has_several_spellings() {
        let set = |values: &[(&str, &str)]| {
            let mut broker = Settings::broker();
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let values: Vec<_> = values.iter().map(owned).collect();
            broker.set_all(&values).map(|()| broker)
        };
        let of = |values| set(values).map(|broker| broker.number("log.retention.ms"));
        assert_eq!(of(&[("log.retention.hours", "2")]), Ok(7_200_000));
        let both = [("log.retention.minutes", "3"), ("log.retention.hours", "2")];
        assert_eq!(of(&both), Ok(180_000));
        assert_eq!(of(&[("log.retention.hours", "-1")]), Ok(-1));
        let id = set(&[("node.id", "7")]).map(|broker| broker.int("broker.id"));
        assert_eq!(id, Ok(7));
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
