//! From the call to join again to the assignment: how one generation follows another.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use super::member::{Joined, Member, SyncAnswer, Synced};
use super::state::State;
use super::{ClassicGroup, Deadline};
use crate::clock::Millis;

impl ClassicGroup {
    /// Asks everybody to join again, unless that is going on already; completes it if all have.
    pub(super) fn rebalance(&mut self, now: Millis) {
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
                if delay > 0 {
                    self.deadline = Some(initial);
                } else {
                    // Nobody was there, so nobody is waited for, not even who only has an id yet.
                    self.deadline = Some(Deadline::Join { at: latest });
                    return self.complete_join(now);
                }
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

    pub(super) fn rebalance_timeout(&self) -> Millis {
        self.members
            .values()
            .map(|member| member.join.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn complete_join_if_all(&mut self, now: Millis) {
        let waits_for_more =
            matches!(self.deadline, Some(Deadline::Initial { .. })) && !self.members.is_empty();
        let all =
            self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if self.state == State::PreparingRebalance && all && !waits_for_more {
            self.complete_join(now);
        }
    }

    /// The next generation begins with those that have joined, and the static members.
    pub(super) fn complete_join(&mut self, now: Millis) {
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
            self.emptied = Some(now);
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
    pub(super) fn elect_leader(&mut self) {
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
    pub(super) fn choose_protocol(&self) -> Option<String> {
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

    pub(super) fn joined(&self, id: &str) -> Joined {
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

    /// SyncGroup. The leader brings the assignments.
    pub(in crate::groups) fn sync(
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

    pub(super) fn assign(&mut self, assignments: Vec<(String, Bytes)>) {
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

    pub(super) fn answer_syncs(&mut self) {
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

    pub(super) fn past(&mut self, deadline: Deadline, now: Millis) {
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
}

pub(super) fn supports(member: &Member, protocol: &str) -> bool {
    member
        .join
        .protocols
        .iter()
        .any(|(name, _)| name == protocol)
}
