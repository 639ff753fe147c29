//! One classic group: who is in it, how members stay and leave, what is due when.
//!
//! Invariants:
//! - A generation has one leader and one protocol that all members support; it ends when anyone joins, leaves, dies or
//!   changes its subscription.
//! - The coming generation begins when all known members have joined again, or at the rebalance deadline without the
//!   dynamic members that have not.
//! - Of a static member (`group.instance.id`) there is one member id; the newer client fences the older.
//! - An answer that somebody waits for is given exactly once.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::member::{Join, Member};
use super::offsets::Offsets;
use super::state::State;
use crate::clock::Millis;

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
    protocol: Option<String>,
    leader: Option<String>,
    members: Vec<(Join, Bytes)>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) state: State,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids by instance.
    pub(super) instances: BTreeMap<String, String>,
    /// Ids that were given out and have not joined yet, until when.
    pub(super) pending: BTreeMap<String, Millis>,
    pub(super) deadline: Option<Deadline>,
    pub(super) initial_delay: Millis,
    recorded: Recorded,
    pub(crate) offsets: Offsets,
}

impl Group {
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
            offsets: Offsets::default(),
        }
    }

    pub(super) fn become_state(&mut self, next: State) {
        debug_assert!(self.state.may_become(next), "{:?} to {next:?}", self.state);
        self.state = next;
    }

    /// Whether nothing is left to keep.
    pub(super) fn is_dead(&self) -> bool {
        self.state == State::Empty && self.pending.is_empty() && self.offsets.is_empty()
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

    /// When [`Group::tick`] has something to do next.
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
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: self.members.values().map(member).collect(),
        };
    }

    /// The broker was restarted: what was complete is there again, what was going on is not.
    pub(super) fn restarted(&mut self, now: Millis) {
        let recorded = self.recorded.clone();
        self.generation = recorded.generation;
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
