//! One classic group: who is in it, how members stay and leave, what is due when.
//!
//! Invariants:
//! - A generation has one leader and one protocol that all members support; it ends when anyone joins, leaves, dies or
//!   changes its subscription.
//! - The coming generation begins when all known members have joined again, or at the rebalance deadline without the
//!   dynamic members that have not.
//! - Of a static member (`group.instance.id`) there is one member id; the newer client fences the older.
//! - An answer that somebody waits for is given exactly once.

mod downgrade;
mod joining;
pub(crate) mod member;
mod rebalancing;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use self::member::{Join, Member};
use self::state::State;
use super::offsets::Expiry;
use super::{Claim, CommitKind, consumer_protocol};
use crate::clock::Millis;

/// The protocol type of consumers, whose subscriptions can be read.
pub(crate) const CONSUMER_PROTOCOL: &str = "consumer";

/// When the group's next generation must begin, or its assignment must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// The first members of an empty group wait a little for others: at most until the second time.
    Initial {
        at: Millis,
        latest: Millis,
        delay: Millis,
        grew: bool,
    },
    Join {
        at: Millis,
    },
    Sync {
        at: Millis,
    },
}

impl Deadline {
    pub(super) fn at(self) -> Millis {
        match self {
            Deadline::Initial { at, .. } | Deadline::Join { at } | Deadline::Sync { at } => at,
        }
    }
}

/// What a broker restart brings back: the last generation that was complete.
#[derive(Debug, Clone, Default)]
struct Recorded {
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    members: Vec<(Join, Bytes)>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub(super) state: State,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Member ids by instance.
    pub(super) instances: BTreeMap<String, String>,
    /// Ids that were given out and have not joined yet, until when.
    pub(super) pending: BTreeMap<String, Millis>,
    pub(super) deadline: Option<Deadline>,
    pub(super) initial_delay: Millis,
    recorded: Recorded,
    /// Since when it has no members.
    emptied: Option<Millis>,
}

impl ClassicGroup {
    pub(super) fn new(initial_delay: Millis) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeMap::new(),
            deadline: None,
            initial_delay,
            recorded: Recorded::default(),
            emptied: None,
        }
    }

    pub(super) fn become_state(&mut self, next: State) {
        debug_assert!(self.state.may_become(next), "{:?} to {next:?}", self.state);
        self.state = next;
    }

    /// Whether it has no members. Who only has an id is none.
    pub(super) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Whether every member has its assignment.
    pub(crate) fn is_stable(&self) -> bool {
        self.state == State::Stable
    }

    /// Apache Kafka's name for the state.
    pub(super) fn state_name(&self) -> &'static str {
        self.state.name()
    }

    // ---- offsets

    /// Whether the claim entitles to commit offsets.
    pub(super) fn check_commit(
        &mut self,
        claim: Claim<'_>,
        kind: CommitKind,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let empty = self.state == State::Empty;
        if claim.generation < 0 && empty {
            return Ok(());
        }
        let claims =
            claim.generation >= 0 || !claim.member_id.is_empty() || claim.instance.is_some();
        let transactional = kind == CommitKind::Transactional;
        if claims {
            self.check_member(claim.member_id, claim.instance, claim.generation)?;
        } else if !transactional && !empty {
            return Err(ResponseError::UnknownMemberId);
        }
        if !transactional && self.state == State::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        if !transactional {
            self.heard_of(claim.member_id, now);
        }
        Ok(())
    }

    /// Whether offsets may be deleted while the group is as it is; those of subscribed topics may not.
    pub(super) fn check_offset_delete(&self) -> Result<(), ResponseError> {
        if self.state == State::Empty || self.is_of_consumers() {
            Ok(())
        } else {
            Err(ResponseError::NonEmptyGroup)
        }
    }

    pub(super) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL)
    }

    /// Whether a member reads the topic. Of subscriptions that cannot be read anything is assumed.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        self.is_of_consumers()
            && self.members.values().any(|member| {
                consumer_protocol::topics(&member.metadata(protocol))
                    .is_none_or(|topics| topics.iter().any(|name| name == topic))
            })
    }

    /// From when on committed offsets grow old (`OffsetExpirationCondition` in Apache Kafka).
    pub(super) fn expiry(&self) -> Expiry {
        match self.state {
            _ if self.protocol_type.is_none() => Expiry::SinceCommit,
            State::Empty => self.emptied.map_or(Expiry::SinceCommit, Expiry::Since),
            State::Stable if self.is_of_consumers() => Expiry::SinceCommit,
            State::Stable | State::PreparingRebalance | State::CompletingRebalance => Expiry::Never,
        }
    }

    // ---- staying and leaving

    /// Heartbeat of a member whose identity and generation were checked.
    pub(super) fn heartbeat(&mut self, id: &str, now: Millis) -> Result<(), ResponseError> {
        self.heard_of(id, now);
        match self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    pub(super) fn heard_of(&mut self, id: &str, now: Millis) {
        if let Some(member) = self.members.get_mut(id) {
            member.alive(now);
        }
    }

    /// LeaveGroup, of a member or of a static member by its instance.
    pub(super) fn leave(
        &mut self,
        id: &str,
        instance: Option<&str>,
        now: Millis,
    ) -> Result<(), ResponseError> {
        if self.pending.remove(id).is_some() {
            self.complete_join_if_all(now);
            return Ok(());
        }
        let by_instance = instance
            .and_then(|instance| self.instances.get(instance))
            .cloned();
        let id = if id.is_empty() {
            by_instance.ok_or(ResponseError::UnknownMemberId)?
        } else {
            id.to_owned()
        };
        self.check_identity(&id, instance)?;
        self.remove(&id, now);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &str, now: Millis) {
        let Some(mut member) = self.members.remove(id) else {
            return;
        };
        member.refuse(ResponseError::UnknownMemberId);
        if let Some(instance) = &member.join.instance {
            self.instances.remove(instance);
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.rebalance(now);
    }

    /// Whether this is the member it says.
    pub(super) fn check_identity(
        &self,
        id: &str,
        instance: Option<&str>,
    ) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            let registered = self
                .instances
                .get(instance)
                .ok_or(ResponseError::UnknownMemberId)?;
            if registered != id {
                return Err(ResponseError::FencedInstanceId);
            }
        }
        if self.members.contains_key(id) {
            Ok(())
        } else {
            Err(ResponseError::UnknownMemberId)
        }
    }

    /// The same, and of the present generation.
    pub(super) fn check_member(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check_identity(id, instance)?;
        if generation == self.generation {
            Ok(())
        } else {
            Err(ResponseError::IllegalGeneration)
        }
    }

    // ---- time

    /// Does what is due: sessions that ended, ids that never joined, rebalances that take too long.
    pub(super) fn tick(&mut self, now: Millis) {
        self.expire_pending(now);
        let dead = |(_, member): &(&String, &Member)| !member.is_waiting() && member.expires <= now;
        let dead: Vec<_> = self
            .members
            .iter()
            .filter(dead)
            .map(|(id, _)| id.clone())
            .collect();
        dead.iter().for_each(|id| self.remove(id, now));
        if let Some(deadline) = self.deadline.filter(|deadline| deadline.at() <= now) {
            self.past(deadline, now);
        }
    }

    fn expire_pending(&mut self, now: Millis) {
        let before = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        if self.pending.len() < before {
            self.complete_join_if_all(now);
        }
    }

    /// When [`ClassicGroup::tick`] has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        let sessions = self
            .members
            .values()
            .filter(|member| !member.is_waiting())
            .map(|member| member.expires);
        let deadline = self.deadline.map(Deadline::at);
        sessions
            .chain(self.pending.values().copied())
            .chain(deadline)
            .min()
    }

    // ---- restarting

    pub(super) fn record(&mut self) {
        let member = |member: &Member| (member.join.clone(), member.assignment.clone());
        self.recorded = Recorded {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: self.members.values().map(member).collect(),
        };
    }

    /// The broker was restarted: what was complete is there again, what was going on is not.
    pub(super) fn restarted(&mut self, now: Millis) {
        let recorded = self.recorded.clone();
        self.generation = recorded.generation;
        self.protocol_type = recorded.protocol_type;
        self.protocol = recorded.protocol;
        self.leader = recorded.leader;
        self.pending.clear();
        self.deadline = None;
        let restored = |(join, assignment): (Join, Bytes)| {
            let mut member = Member::new(join, now);
            member.assignment = assignment;
            (member.join.member_id.clone(), member)
        };
        self.members = recorded.members.into_iter().map(restored).collect();
        let instance =
            |(id, member): (&String, &Member)| Some((member.join.instance.clone()?, id.clone()));
        self.instances = self.members.iter().filter_map(instance).collect();
        self.state = if self.members.is_empty() {
            State::Empty
        } else {
            State::Stable
        };
    }
}
