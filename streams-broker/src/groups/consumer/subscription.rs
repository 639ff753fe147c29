//! Which topics the members of a consumer group read: by name, and by regular expression.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;
use regex::Regex;
use uuid::Uuid;

use super::ConsumerGroup;
use super::member::Member;
use crate::clock::Millis;
use crate::groups::footprint::ENTRY_BYTES;
use crate::topics::Topics;

/// Topics that match are looked for at most this often (`REGEX_BATCH_REFRESH_MIN_INTERVAL_MS` in Apache Kafka).
const REGEX_INTERVAL: Millis = 10_000;

/// What a heartbeat changed in a member's subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// A regular expression whose topics have yet to be looked for.
    Pending,
    /// Something that is known already, so that the group has a new epoch.
    Known,
}

/// The regular expressions of a group's members.
#[derive(Debug, Default)]
pub(super) struct Regexes {
    resolved: BTreeMap<String, BTreeSet<String>>,
    at: Option<Millis>,
}

impl ConsumerGroup {
    /// Compares the member with what it was.
    ///
    /// # Errors
    ///
    /// If its regular expression is new to the group and isn't one.
    pub(super) fn change_of(&self, old: &Member, new: &Member) -> Result<Change, ResponseError> {
        let names_changed = old.topics != new.topics;
        let mut change = if names_changed {
            Change::Known
        } else {
            Change::None
        };
        if old.regex != new.regex && !names_changed {
            change = Change::Pending;
        }
        if old.regex == new.regex {
            return Ok(change);
        }
        if new.regex.is_empty() || self.regexes.resolved.contains_key(&new.regex) {
            change = Change::Known;
        } else {
            compile(&new.regex)?;
        }
        Ok(change)
    }

    /// The names that a member subscribes to, whether there are such topics or not.
    fn names_of<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a String> {
        let matched = self.regexes.resolved.get(&member.regex);
        member.topics.iter().chain(matched.into_iter().flatten())
    }

    /// The ids of the topics that a member subscribes to.
    pub(super) fn topic_ids_of(&self, member: &Member, topics: &Topics) -> BTreeSet<Uuid> {
        self.names_of(member)
            .filter_map(|name| Some(topics.get(name)?.id))
            .collect()
    }

    /// Whether a member reads the topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members
            .values()
            .any(|member| self.names_of(member).any(|name| name == topic))
    }

    /// The memory that the subscribed topics take, and those that the regular expressions match.
    pub(in crate::groups) fn subscription_footprint(&self) -> usize {
        let text = |text: &String| ENTRY_BYTES + text.len();
        let resolved = self.regexes.resolved.iter();
        let resolved = resolved.map(|(regex, names)| {
            let names = names.iter().map(text);
            text(regex) + names.sum::<usize>()
        });
        self.known_topics.len() * ENTRY_BYTES + resolved.sum::<usize>()
    }

    /// Looks at the subscribed topics; says whether some are new, gone, or have more partitions.
    pub(super) fn follow_topics(&mut self, topics: &Topics) -> bool {
        let mut known = BTreeMap::new();
        for name in self
            .members
            .values()
            .flat_map(|member| self.names_of(member))
        {
            if let Some(topic) = topics.get(name) {
                known.insert(topic.id, topic.partition_count());
            }
        }
        let changed = known != self.known_topics;
        self.known_topics = known;
        changed
    }

    /// Looks for the topics that the regular expressions match. What is found is for the next heartbeat: Apache Kafka
    /// looks while the member has its answer already.
    pub(super) fn resolve_regexes(&mut self, topics: &Topics, now: Millis) {
        let early = self
            .regexes
            .at
            .is_some_and(|at| now <= at.saturating_add(REGEX_INTERVAL));
        let wanted: BTreeSet<_> = self
            .members
            .values()
            .map(|member| &member.regex)
            .filter(|regex| !regex.is_empty())
            .cloned()
            .collect();
        self.regexes
            .resolved
            .retain(|regex, _| wanted.contains(regex));
        if early || wanted.is_empty() {
            return;
        }
        let mut changed = false;
        for regex in wanted {
            let Ok(compiled) = compile(&regex) else {
                continue;
            };
            let matched: BTreeSet<_> = topics
                .iter()
                .map(|(name, _)| name)
                .filter(|name| compiled.is_match(name))
                .map(str::to_owned)
                .collect();
            let before = self.regexes.resolved.insert(regex, matched.clone());
            changed |= before.unwrap_or_default() != matched;
        }
        self.regexes.at = Some(now);
        if self.follow_topics(topics) || changed {
            self.epoch += 1;
        }
    }
}

/// An expression in RE2's syntax that the whole name must match.
fn compile(regex: &str) -> Result<Regex, ResponseError> {
    // By itself first: a stray bracket must not pair with ours.
    Regex::new(regex)
        .and_then(|_| Regex::new(&format!("^(?:{regex})$")))
        .map_err(|_| ResponseError::InvalidRegularExpression)
}
