//! One classic group: its members, its generation, its rebalances.
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
use tokio::sync::oneshot;

use super::member::{Join, JoinAnswer, JoinRefused, Joined, Member, SyncAnswer, Synced};
use super::offsets::Offsets;
use super::state::State;
use crate::clock::Millis;

/// When the group's next generation must begin, or its assignment must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deadline {
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
    fn at(self) -> Millis {
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
    leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids by instance.
    instances: BTreeMap<String, String>,
    /// Ids that were given out and have not joined yet, until when.
    pending: BTreeMap<String, Millis>,
    deadline: Option<Deadline>,
    initial_delay: Millis,
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

    fn become_state(&mut self, next: State) {
        debug_assert!(self.state.may_become(next), "{:?} to {next:?}", self.state);
        self.state = next;
    }

    /// Whether nothing is left to keep.
    pub(super) fn is_dead(&self) -> bool {
        self.state == State::Empty && self.pending.is_empty() && self.offsets.is_empty()
    }

    // ---- joining

    /// JoinGroup. `fresh_id` is the id for a member that has none.
    pub(super) fn join(
        &mut self,
        mut join: Join,
        fresh_id: String,
        now: Millis,
        answer: oneshot::Sender<JoinAnswer>,
    ) {
        if let Err(code) = self.check_join(&join) {
            return refuse_join(answer, code, join.member_id);
        }
        if !join.member_id.is_empty() {
            return self.join_again(join, now, answer);
        }
        if let Some(old) = join
            .instance
            .as_ref()
            .and_then(|instance| self.instances.get(instance))
            .cloned()
        {
            join.member_id = fresh_id;
            return self.replace_static(&old, join, now, answer);
        }
        if join.instance.is_none() && join.asks_for_id {
            self.pending
                .insert(fresh_id.clone(), now.saturating_add(join.session_timeout));
            return refuse_join(answer, ResponseError::MemberIdRequired, fresh_id);
        }
        join.member_id = fresh_id;
        self.add(join, now, answer);
    }

    fn check_join(&self, join: &Join) -> Result<(), ResponseError> {
        let names: Vec<_> = join
            .protocols
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if names.is_empty() || join.protocol_type.is_empty() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if self.members.is_empty() {
            return Ok(());
        }
        let same_type = self.protocol_type.as_deref() == Some(join.protocol_type.as_str());
        let others: Vec<_> = self
            .members
            .values()
            .filter(|member| member.join.member_id != join.member_id)
            .collect();
        let common = |name: &&&str| others.iter().all(|member| supports(member, name));
        if !same_type || names.iter().find(common).is_none() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// A client that has a member id already.
    fn join_again(&mut self, join: Join, now: Millis, answer: oneshot::Sender<JoinAnswer>) {
        let id = join.member_id.clone();
        if self.pending.remove(&id).is_some() {
            return self.add(join, now, answer);
        }
        if let Err(code) = self.check_identity(&id, join.instance.as_deref()) {
            return refuse_join(answer, code, id);
        }
        let unchanged = self
            .members
            .get(&id)
            .is_some_and(|member| member.join.protocols == join.protocols);
        let is_leader = self.leader.as_deref() == Some(id.as_str());
        let settled = match self.state {
            State::CompletingRebalance => unchanged,
            State::Stable => unchanged && !is_leader,
            State::PreparingRebalance | State::Empty => false,
        };
        if settled {
            // It has not got the answer that the others got.
            let _ = answer.send(Ok(self.joined(&id)));
            return self.heard_of(&id, now);
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.join = join;
            member.alive(now);
            member.refuse(ResponseError::UnknownMemberId);
            member.joining = Some(answer);
        }
        self.rebalance(now);
    }

    fn add(&mut self, join: Join, now: Millis, answer: oneshot::Sender<JoinAnswer>) {
        let id = join.member_id.clone();
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        let mut member = Member::new(join, now);
        member.joining = Some(answer);
        self.members.insert(id, member);
        if let Some(Deadline::Initial { grew, .. }) = &mut self.deadline {
            *grew = true;
        }
        self.rebalance(now);
    }

    /// A new client takes a static member's place: without a rebalance, if the group is stable and its protocol stays.
    fn replace_static(
        &mut self,
        old: &str,
        join: Join,
        now: Millis,
        answer: oneshot::Sender<JoinAnswer>,
    ) {
        let Some(mut member) = self.members.remove(old) else {
            return refuse_join(answer, ResponseError::UnknownMemberId, join.member_id);
        };
        member.refuse(ResponseError::FencedInstanceId);
        let id = join.member_id.clone();
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        let was_leader = self.leader.as_deref() == Some(old);
        if was_leader {
            self.leader = Some(id.clone());
        }
        let may_skip = join.may_skip_assignment;
        member.join = join;
        member.alive(now);
        self.members.insert(id.clone(), member);
        if self.state == State::Stable && self.choose_protocol() == self.protocol {
            let mut joined = self.joined(&id);
            if was_leader && may_skip {
                joined.skip_assignment = true;
            } else if was_leader {
                // An older client would compute an assignment; told of another leader, it just asks for its own.
                joined.leader = old.to_owned();
                joined.members.clear();
            }
            self.record();
            let _ = answer.send(Ok(joined));
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(answer);
        }
        self.rebalance(now);
    }

    // ---- rebalancing

    /// Asks everybody to join again, unless that is going on already; completes it if all have.
    fn rebalance(&mut self, now: Millis) {
        match self.state {
            State::PreparingRebalance => {}
            State::Empty => {
                let latest = now.saturating_add(self.rebalance_timeout());
                let delay = self.initial_delay;
                let at = latest.min(now.saturating_add(delay));
                self.become_state(State::PreparingRebalance);
                let initial = Deadline::Initial {
                    at,
                    latest,
                    delay,
                    grew: false,
                };
                self.deadline = Some(if delay > 0 {
                    initial
                } else {
                    Deadline::Join { at: latest }
                });
            }
            State::CompletingRebalance | State::Stable => {
                for member in self.members.values_mut() {
                    member.assignment = Bytes::new();
                    member.answer_sync(Err(ResponseError::RebalanceInProgress));
                }
                self.become_state(State::PreparingRebalance);
                self.deadline = Some(Deadline::Join {
                    at: now.saturating_add(self.rebalance_timeout()),
                });
            }
        }
        self.complete_join_if_all(now);
    }

    fn rebalance_timeout(&self) -> Millis {
        self.members
            .values()
            .map(|member| member.join.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    fn complete_join_if_all(&mut self, now: Millis) {
        let waits_for_more =
            matches!(self.deadline, Some(Deadline::Initial { .. })) && !self.members.is_empty();
        let all =
            self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if self.state == State::PreparingRebalance && all && !waits_for_more {
            self.complete_join(now);
        }
    }

    /// The next generation begins with those that have joined, and the static members.
    fn complete_join(&mut self, now: Millis) {
        let late = |member: &Member| member.joining.is_none() && member.join.instance.is_none();
        self.members.retain(|_, member| !late(member));
        if !self.members.is_empty() && self.members.values().all(|member| member.joining.is_none())
        {
            // Only static members that are away: wait for them as long as their sessions last.
            self.deadline = Some(Deadline::Join {
                at: now.saturating_add(self.rebalance_timeout()),
            });
            return;
        }
        self.generation = self.generation.saturating_add(1);
        if self.members.is_empty() {
            self.become_state(State::Empty);
            (self.deadline, self.leader, self.protocol) = (None, None, None);
            return self.record();
        }
        self.elect_leader();
        self.protocol = self.choose_protocol();
        self.become_state(State::CompletingRebalance);
        self.deadline = Some(Deadline::Sync {
            at: now.saturating_add(self.rebalance_timeout()),
        });
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            member.alive(now);
            if let Some(answer) = member.joining.take() {
                let _ = answer.send(Ok(joined));
            }
        }
    }

    /// The leader stays if it has joined.
    fn elect_leader(&mut self) {
        let has_joined = |id: &String| {
            self.members
                .get(id)
                .is_some_and(|member| member.joining.is_some())
        };
        if !self.leader.as_ref().is_some_and(has_joined) {
            self.leader = self.members.keys().find(|id| has_joined(id)).cloned();
        }
    }

    /// The protocol that most members prefer among those that all support.
    fn choose_protocol(&self) -> Option<String> {
        let common = |name: &str| self.members.values().all(|member| supports(member, name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let preferred = member
                .join
                .protocols
                .iter()
                .map(|(name, _)| name.as_str())
                .find(|name| common(name));
            if let Some(name) = preferred {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_owned())
    }

    fn joined(&self, id: &str) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let describe = |(id, member): (&String, &Member)| {
            (
                id.clone(),
                member.join.instance.clone(),
                member.metadata(&protocol),
            )
        };
        let is_leader = self.leader.as_deref() == Some(id);
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.to_owned(),
            skip_assignment: false,
            members: if is_leader {
                self.members.iter().map(describe).collect()
            } else {
                Vec::new()
            },
            protocol,
        }
    }

    // ---- syncing

    /// SyncGroup. The leader brings the assignments.
    pub(super) fn sync(
        &mut self,
        id: &str,
        assignments: Vec<(String, Bytes)>,
        now: Millis,
        answer: oneshot::Sender<SyncAnswer>,
    ) {
        let refusal = match self.state {
            State::Empty => Some(ResponseError::UnknownMemberId),
            State::PreparingRebalance => Some(ResponseError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => None,
        };
        if let Some(code) = refusal {
            let _ = answer.send(Err(code));
            return;
        }
        self.heard_of(id, now);
        if let Some(member) = self.members.get_mut(id) {
            member.syncing = Some(answer);
        }
        if self.state == State::CompletingRebalance && self.leader.as_deref() == Some(id) {
            self.assign(assignments);
        }
        if self.state == State::Stable {
            self.answer_syncs();
        }
    }

    fn assign(&mut self, assignments: Vec<(String, Bytes)>) {
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.become_state(State::Stable);
        // Members that never ask for their assignment are found out by their sessions.
        self.deadline = None;
        self.record();
    }

    fn answer_syncs(&mut self) {
        let protocol_type = self.protocol_type.clone().unwrap_or_default();
        let protocol = self.protocol.clone().unwrap_or_default();
        for member in self.members.values_mut() {
            let assignment = member.assignment.clone();
            let (protocol_type, protocol) = (protocol_type.clone(), protocol.clone());
            member.answer_sync(Ok(Synced {
                protocol_type,
                protocol,
                assignment,
            }));
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

    fn remove(&mut self, id: &str, now: Millis) {
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

    fn past(&mut self, deadline: Deadline, now: Millis) {
        match deadline {
            Deadline::Initial {
                latest,
                delay,
                grew: true,
                ..
            } if now < latest => {
                let at = latest.min(now.saturating_add(delay));
                self.deadline = Some(Deadline::Initial {
                    at,
                    latest,
                    delay,
                    grew: false,
                });
            }
            Deadline::Initial { .. } | Deadline::Join { .. } => {
                self.pending.clear();
                self.complete_join(now);
            }
            Deadline::Sync { .. } => {
                let silent = |(_, member): &(&String, &Member)| member.syncing.is_none();
                let silent: Vec<_> = self
                    .members
                    .iter()
                    .filter(silent)
                    .map(|(id, _)| id.clone())
                    .collect();
                self.deadline = None;
                silent.iter().for_each(|id| self.remove(id, now));
            }
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

    fn record(&mut self) {
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

fn supports(member: &Member, protocol: &str) -> bool {
    member
        .join
        .protocols
        .iter()
        .any(|(name, _)| name == protocol)
}

fn refuse_join(answer: oneshot::Sender<JoinAnswer>, code: ResponseError, member_id: String) {
    let _ = answer.send(Err(JoinRefused { code, member_id }));
}
