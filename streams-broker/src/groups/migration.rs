//! A live group goes from one type to the other (`group.consumer.migration.policy`): to the consumer protocol with the
//! first member that speaks it, and back when none is left that does.
//!
//! Invariants: members, their partitions and offsets stay; nobody who waits for an answer is forgotten; a group without
//! members is no concern of this file, its type follows whoever joins.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::classic::ClassicGroup;
use super::classic::member::Join;
use super::consumer::ConsumerGroup;
use super::consumer_protocol::Subscription;
use super::{Group, Kind};
use crate::clock::Millis;
use crate::settings::Settings;
use crate::topics::Topics;

/// The ways that `group.consumer.migration.policy` leaves open.
#[derive(Debug, Clone, Copy)]
struct Policy {
    upgrade: bool,
    downgrade: bool,
}

impl Policy {
    fn of(settings: &Settings) -> Self {
        let policy = settings
            .text("group.consumer.migration.policy")
            .to_ascii_lowercase();
        Self {
            upgrade: matches!(policy.as_str(), "upgrade" | "bidirectional"),
            downgrade: matches!(policy.as_str(), "downgrade" | "bidirectional"),
        }
    }
}

/// The consumer group that a live classic one would become.
///
/// # Errors
///
/// GROUP_ID_NOT_FOUND if that is not allowed, or its members are no consumers.
pub(super) fn upgraded(
    group: &ClassicGroup,
    topics: &Topics,
    settings: &Settings,
) -> Result<ConsumerGroup, ResponseError> {
    let limit = settings.number("group.consumer.max.size");
    let fits = i64::try_from(group.members.len()).unwrap_or(i64::MAX) <= limit;
    if !(Policy::of(settings).upgrade && group.is_of_consumers() && fits) {
        return Err(ResponseError::GroupIdNotFound);
    }
    ConsumerGroup::of_classic(group, topics).ok_or(ResponseError::GroupIdNotFound)
}

/// Makes a group classic again, if all who are left speak only that protocol.
pub(super) fn downgrade(group: &mut Group, topics: &Topics, settings: &Settings, now: Millis) {
    let Kind::Consumer(consumer) = &group.kind else {
        return;
    };
    if !consumer.is_of_classic_members() || !Policy::of(settings).downgrade {
        return;
    }
    let members: Vec<(Join, Bytes)> = consumer
        .members()
        .filter_map(|member| {
            let join = member.classic.as_ref()?.join.clone();
            let subscription = Subscription::read(&join.protocols.first()?.1)?;
            let assignment = subscription.assignment(&member.partitions(), topics);
            Some((join, assignment))
        })
        .collect();
    let delay = settings.number("group.initial.rebalance.delay.ms");
    // Not the epoch that the others' leaving has brought: no member has reached that.
    let generation = consumer.target_epoch;
    let classic = ClassicGroup::of_members(generation, members, delay, now);
    group.kind = Kind::Classic(classic);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_policy_says_which_ways_are_open() {
        let mut settings = Settings::broker();
        let ways = |settings: &Settings| {
            let policy = Policy::of(settings);
            (policy.upgrade, policy.downgrade)
        };
        assert_eq!(ways(&settings), (true, true));
        for (name, open) in [
            ("disabled", (false, false)),
            ("upgrade", (true, false)),
            ("Downgrade", (false, true)),
            ("BIDIRECTIONAL", (true, true)),
        ] {
            settings
                .set("group.consumer.migration.policy", name)
                .unwrap();
            assert_eq!(ways(&settings), open, "{name}");
        }
        assert!(
            settings
                .set("group.consumer.migration.policy", "both")
                .is_err()
        );
    }
}
