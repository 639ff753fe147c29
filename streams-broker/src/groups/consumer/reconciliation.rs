//! How a member gets from the partitions that it holds to those of its target: revoke first, take over when released.
//!
//! The rules are those of `CurrentAssignmentBuilder` in Apache Kafka (KIP-848).

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::member::{Assigned, Member, MemberState, Partitions, contains};
use super::subscription::Change;

/// What a member has just said, as far as it gets further by it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress<'a> {
    /// The partitions that it says it owns; `None` where it says nothing.
    pub(super) owned: Option<&'a Partitions>,
    pub(super) change: Change,
}

/// What a member is to be brought to, and what else decides how far it gets now.
pub(super) struct Goal<'a> {
    pub(super) epoch: i32,
    pub(super) partitions: &'a Partitions,
    /// The topics that it subscribes to now; what it doesn't is taken from it before there is a new target.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    pub(super) subscription_changed: bool,
    /// The partitions that the member says it owns; `None` where it says nothing.
    pub(super) owned: Option<&'a Partitions>,
    /// Whether another member may still work on a partition.
    pub(super) is_held: &'a dyn Fn(Uuid, i32) -> bool,
}

impl Goal<'_> {
    /// Whether the member still owns some of these; without its word it is taken to.
    fn owns_any(&self, revoked: &Assigned) -> bool {
        self.owned.is_none_or(|owned| {
            owned.iter().any(|(topic, partitions)| {
                partitions
                    .iter()
                    .any(|partition| contains(revoked, *topic, *partition))
            })
        })
    }
}

impl Member {
    /// Goes as far towards the goal as others and its own word allow.
    pub(super) fn reconcile(&mut self, goal: &Goal<'_>) {
        match self.state {
            MemberState::Stable if self.epoch == goal.epoch => {
                if goal.subscription_changed {
                    self.drop_unsubscribed(goal);
                }
            }
            MemberState::UnrevokedPartitions if goal.owns_any(&self.revoking) => {
                if goal.subscription_changed {
                    self.drop_unsubscribed(goal);
                }
            }
            MemberState::Stable
            | MemberState::UnrevokedPartitions
            | MemberState::UnreleasedPartitions => self.advance(goal),
        }
    }

    /// Takes away what the member no longer subscribes to, without a new target.
    fn drop_unsubscribed(&mut self, goal: &Goal<'_>) {
        let (kept, dropped): (Assigned, Assigned) = std::mem::take(&mut self.assigned)
            .into_iter()
            .partition(|(topic, _)| goal.subscribed.contains(topic));
        self.assigned = kept;
        if dropped.is_empty() {
            return;
        }
        let mut revoking = self.revoking.clone();
        for (topic, partitions) in dropped {
            revoking.entry(topic).or_default().extend(partitions);
        }
        if goal.owns_any(&revoking) {
            self.state = MemberState::UnrevokedPartitions;
            self.revoking = revoking;
        }
        self.move_to(self.epoch);
    }

    fn advance(&mut self, goal: &Goal<'_>) {
        let mut kept = Assigned::new();
        let mut revoked = Assigned::new();
        for (topic, partitions) in &self.assigned {
            let target = goal.target_of(*topic);
            let (stay, go): (BTreeMap<_, _>, BTreeMap<_, _>) = partitions
                .iter()
                .partition(|(partition, _)| target.is_some_and(|set| set.contains(partition)));
            insert(&mut kept, *topic, stay);
            insert(&mut revoked, *topic, go);
        }
        if goal.owns_any(&revoked) && !revoked.is_empty() {
            self.state = MemberState::UnrevokedPartitions;
            self.assigned = kept;
            self.revoking = revoked;
            return self.move_to(self.epoch);
        }
        let mut unreleased = false;
        for (topic, target) in goal.partitions {
            if !goal.subscribed.contains(topic) {
                continue;
            }
            for partition in target {
                if contains(&kept, *topic, *partition) {
                    continue;
                }
                if (goal.is_held)(*topic, *partition) {
                    unreleased = true;
                } else {
                    kept.entry(*topic)
                        .or_default()
                        .insert(*partition, goal.epoch);
                }
            }
        }
        self.state = if unreleased {
            MemberState::UnreleasedPartitions
        } else {
            MemberState::Stable
        };
        self.assigned = kept;
        self.revoking = Assigned::new();
        self.move_to(goal.epoch);
    }
}

impl Goal<'_> {
    fn target_of(&self, topic: Uuid) -> Option<&BTreeSet<i32>> {
        self.partitions
            .get(&topic)
            .filter(|_| self.subscribed.contains(&topic))
    }
}

fn insert(into: &mut Assigned, topic: Uuid, partitions: BTreeMap<i32, i32>) {
    if !partitions.is_empty() {
        into.insert(topic, partitions);
    }
}
