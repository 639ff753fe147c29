//! A consumer group (KIP-848): the coordinator assigns, and members follow one heartbeat after the other.
//!
//! Invariants:
//! - The group's epoch rises with every change of its members, their subscriptions or the subscribed topics; a target
//!   assignment bears the epoch for which it was made; a member reaches that epoch only when it has given up what the
//!   target takes from it.
//! - Members may speak the classic protocol, beside at least one that doesn't; each is brought to the same target.
//! - No partition is assigned to two members: a member gets it only after the one before has said that it gave it up,
//!   has left, or was thrown out.
//! - Offsets are taken from a member for the partitions that it has held since the epoch that it claims.

pub(crate) mod assignor;
mod classic_members;
pub(crate) mod heartbeat;
pub(crate) mod member;
mod reconciliation;
mod subscription;
#[cfg(test)]
mod tests;
mod upgrade;

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use uuid::Uuid;

use self::assignor::{Assignor, Subscriber};
use self::member::{Assigned, Member, Partitions};
use self::subscription::Regexes;
use super::{Claim, CommitKind};
use crate::clock::Millis;
use crate::settings::Settings;
use crate::topics::Topics;

/// Of which partitions offsets may be committed.
#[derive(Debug, Clone)]
pub(crate) enum Committer {
    /// Of any: nobody holds the group's partitions, or the member is of the present epoch.
    OfAny,
    /// A member that has not heard of its present epoch: of those that it has held since the epoch that it claims.
    OfEarlier {
        epoch: i32,
        held: Assigned,
        refusal: ResponseError,
    },
}

impl Committer {
    /// Whether it may commit an offset of this partition.
    pub(crate) fn check(&self, topic: Uuid, partition: i32) -> Result<(), ResponseError> {
        match self {
            Committer::OfAny => Ok(()),
            Committer::OfEarlier {
                epoch,
                held,
                refusal,
            } => {
                let since = held.get(&topic).and_then(|held| held.get(&partition));
                if since.is_some_and(|since| since <= epoch) {
                    Ok(())
                } else {
                    Err(*refusal)
                }
            }
        }
    }
}

/// The epoch of a group that nobody has joined.
const FIRST_EPOCH: i32 = 1;

/// A group.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    pub(crate) epoch: i32,
    /// The epoch for which the target was made.
    pub(crate) target_epoch: i32,
    assigned_at: Option<Millis>,
    target: BTreeMap<String, Partitions>,
    members: BTreeMap<String, Member>,
    /// Member ids by instance.
    instances: BTreeMap<String, String>,
    /// Number of partitions of the subscribed topics, as of the present epoch.
    known_topics: BTreeMap<Uuid, i32>,
    regexes: Regexes,
}

impl ConsumerGroup {
    pub(super) fn new() -> Self {
        Self {
            epoch: FIRST_EPOCH,
            target_epoch: 0,
            assigned_at: None,
            target: BTreeMap::new(),
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            known_topics: BTreeMap::new(),
            regexes: Regexes::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// What a member is to have.
    pub(crate) fn target_of(&self, id: &str) -> Partitions {
        self.target.get(id).cloned().unwrap_or_default()
    }

    /// How many partitions are meant for a member.
    pub(crate) fn targeted(&self, id: &str) -> usize {
        let target = self.target.get(id);
        target.map_or(0, |topics| topics.values().map(|held| held.len()).sum())
    }

    fn static_member(&self, instance: &str) -> Option<&Member> {
        self.members.get(self.instances.get(instance)?)
    }

    /// Apache Kafka's name for the state, which follows from the epochs:
    ///
    /// | | |
    /// |---|---|
    /// | `Empty` | there are no members |
    /// | `Assigning` | the target is of an earlier epoch than the group |
    /// | `Reconciling` | some member has not reached the target |
    /// | `Stable` | all have |
    pub(super) fn state_name(&self) -> &'static str {
        let reached = |member: &Member| member.is_reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(reached) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The assignor that most members ask for.
    pub(crate) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = &member.assignor {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .and_then(|(name, _)| Assignor::of(name))
            .unwrap_or(Assignor::DEFAULT)
    }

    /// Makes a new target if the group has gone on since the last, but not sooner than the assignment interval allows.
    fn assign(&mut self, topics: &Topics, settings: &Settings, now: Millis) {
        let interval = settings.number("group.consumer.assignment.interval.ms");
        let early = self
            .assigned_at
            .is_some_and(|at| now < at.saturating_add(interval));
        if self.epoch <= self.target_epoch || early {
            return;
        }
        let subscriber = |member: &Member| Subscriber {
            id: member.id.clone(),
            instance: member.instance.clone(),
            topics: self.topic_ids_of(member, topics),
            target: self.target_of(&member.id),
        };
        let subscribers: Vec<_> = self.members.values().map(subscriber).collect();
        self.target = self.assignor().assign(&subscribers, &self.known_topics);
        self.target_epoch = self.epoch;
        self.assigned_at = Some(now);
    }

    /// Throws a member out; the others get its partitions with their next heartbeats.
    fn fence(&mut self, id: &str) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        self.target.remove(id);
        self.epoch += 1;
    }

    // ---- offsets

    /// Whether the claim entitles to commit offsets, and of which partitions.
    pub(super) fn check_commit(
        &self,
        claim: Claim<'_>,
        kind: CommitKind,
    ) -> Result<Committer, ResponseError> {
        let epoch = claim.generation;
        let transactional = kind == CommitKind::Transactional;
        let claims_nothing = epoch == -1 && claim.member_id.is_empty() && claim.instance.is_none();
        if (epoch < 0 && self.members.is_empty()) || (transactional && claims_nothing) {
            return Ok(Committer::OfAny);
        }
        let member = self
            .members
            .get(claim.member_id)
            .ok_or(ResponseError::UnknownMemberId)?;
        let refusal = match kind {
            _ if member.classic.is_some() => ResponseError::IllegalGeneration,
            CommitKind::Older => return Err(ResponseError::UnsupportedVersion),
            CommitKind::Plain => ResponseError::StaleMemberEpoch,
            CommitKind::Transactional => ResponseError::IllegalGeneration,
        };
        if epoch == member.epoch {
            return Ok(Committer::OfAny);
        }
        if epoch > member.epoch {
            return Err(refusal);
        }
        let mut held = member.revoking.clone();
        for (topic, partitions) in &member.assigned {
            held.entry(*topic).or_default().extend(partitions);
        }
        Ok(Committer::OfEarlier {
            epoch,
            held,
            refusal,
        })
    }

    /// Whether the claim entitles to read offsets: a member's of its present epoch, or none.
    pub(super) fn check_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ResponseError> {
        let Some(id) = member_id else {
            return if member_epoch < 0 {
                Ok(())
            } else {
                // Apache Kafka looks for it all the same, and fails.
                Err(ResponseError::UnknownServerError)
            };
        };
        let member = self.members.get(id).ok_or(ResponseError::UnknownMemberId)?;
        if member.epoch == member_epoch {
            Ok(())
        } else {
            Err(ResponseError::StaleMemberEpoch)
        }
    }

    // ---- time

    /// Throws out who was not heard of, or doesn't give up what was taken from it.
    pub(super) fn tick(&mut self, now: Millis) {
        let late = |member: &&Member| member.deadline() <= now;
        let late: Vec<_> = self
            .members
            .values()
            .filter(late)
            .map(|member| member.id.clone())
            .collect();
        late.iter().for_each(|id| self.fence(id));
    }

    /// When [`ConsumerGroup::tick`] has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.members.values().map(Member::deadline).min()
    }

    /// The broker was restarted: all that it knew is there, and sessions begin anew.
    pub(super) fn restarted(&mut self, now: Millis, session: Millis) {
        for member in self.members.values_mut() {
            let session = match &mut member.classic {
                Some(side) => {
                    side.must_return = None;
                    side.join.session_timeout
                }
                None => session,
            };
            member.expires = now.saturating_add(session);
            if member.must_revoke.is_some() {
                member.must_revoke = Some(now.saturating_add(member.rebalance_timeout));
            }
        }
    }
}
