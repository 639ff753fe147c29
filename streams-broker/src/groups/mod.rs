//! The group coordinator: finds the group, checks who asks, and lets [`group::Group`] do the rest.
//!
//! Invariants: a member may do something only under the id, instance and generation that it holds now; offsets of a
//! live group are committed by its members only.

mod group;
mod joining;
pub(crate) mod member;
pub(crate) mod offsets;
mod rebalancing;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

pub(crate) use self::group::Group;
use self::member::{Join, JoinAnswer, JoinRefused, Member, SyncAnswer};
use self::state::State;
use crate::clock::Millis;
use crate::log::batch::Outcome;
use crate::settings::Settings;

/// Who asks: the identity that a member claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance: Option<&'a str>,
    pub(crate) generation: i32,
}

/// A group as tools see it.
#[derive(Debug)]
pub(crate) struct Overview<'a> {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) members: Vec<&'a Member>,
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_id: BTreeMap<String, Group>,
    members_made: u64,
}

impl Groups {
    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.by_id.get(id)
    }

    fn known(&mut self, id: &str) -> Result<&mut Group, ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        self.by_id.get_mut(id).ok_or(ResponseError::UnknownMemberId)
    }

    /// The group, made if it doesn't exist.
    fn open(&mut self, id: &str, settings: &Settings) -> &mut Group {
        let delay = settings.number("group.initial.rebalance.delay.ms");
        self.by_id
            .entry(id.to_owned())
            .or_insert_with(|| Group::new(delay))
    }

    /// JoinGroup; the answer may come later.
    pub(crate) fn join(
        &mut self,
        id: &str,
        join: Join,
        settings: &Settings,
        now: Millis,
    ) -> oneshot::Receiver<JoinAnswer> {
        let (answer, receiver) = oneshot::channel();
        if let Err(code) = self.check_join(id, &join, settings) {
            let _ = answer.send(Err(JoinRefused {
                code,
                member_id: join.member_id,
            }));
            return receiver;
        }
        self.members_made += 1;
        let name = join.instance.as_deref().unwrap_or(&join.client_id);
        let fresh_id = format!(
            "{name}-{:08x}-0000-4000-8000-{:012x}",
            now & 0xffff_ffff,
            self.members_made
        );
        self.open(id, settings).join(join, fresh_id, now, answer);
        receiver
    }

    fn check_join(&self, id: &str, join: &Join, settings: &Settings) -> Result<(), ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let shortest = settings.number("group.min.session.timeout.ms");
        let longest = settings.number("group.max.session.timeout.ms");
        if !(shortest..=longest).contains(&join.session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let group = self.by_id.get(id);
        if group.is_none() && !join.member_id.is_empty() {
            return Err(ResponseError::UnknownMemberId);
        }
        let size = group.map_or(0, |group| group.members.len());
        let full = i64::try_from(size).unwrap_or(i64::MAX) >= settings.number("group.max.size");
        if full && join.member_id.is_empty() {
            Err(ResponseError::GroupMaxSizeReached)
        } else {
            Ok(())
        }
    }

    /// SyncGroup; the answer may come later.
    pub(crate) fn sync(
        &mut self,
        id: &str,
        claim: Claim<'_>,
        protocol: (Option<&str>, Option<&str>),
        assignments: Vec<(String, Bytes)>,
        now: Millis,
    ) -> oneshot::Receiver<SyncAnswer> {
        let (answer, receiver) = oneshot::channel();
        let checked = self.known(id).and_then(|group| {
            group.check_member(claim.member_id, claim.instance, claim.generation)?;
            let agrees = |said: Option<&str>, held: &Option<String>| {
                said.is_none_or(|said| held.as_deref() == Some(said))
            };
            let same =
                agrees(protocol.0, &group.protocol_type) && agrees(protocol.1, &group.protocol);
            if same {
                Ok(group)
            } else {
                Err(ResponseError::InconsistentGroupProtocol)
            }
        });
        match checked {
            Ok(group) => group.sync(claim.member_id, assignments, now, answer),
            Err(code) => {
                let _ = answer.send(Err(code));
            }
        }
        receiver
    }

    /// Heartbeat.
    pub(crate) fn heartbeat(
        &mut self,
        id: &str,
        claim: Claim<'_>,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let group = self.known(id)?;
        group.check_member(claim.member_id, claim.instance, claim.generation)?;
        group.heartbeat(claim.member_id, now)
    }

    /// LeaveGroup of one member.
    pub(crate) fn leave(
        &mut self,
        id: &str,
        member_id: &str,
        instance: Option<&str>,
        now: Millis,
    ) -> Result<(), ResponseError> {
        self.known(id)?.leave(member_id, instance, now)
    }

    /// Whether the claim entitles to commit offsets; gives the group to commit to.
    pub(crate) fn for_commit(
        &mut self,
        id: &str,
        claim: Claim<'_>,
        transactional: bool,
        settings: &Settings,
        now: Millis,
    ) -> Result<&mut Group, ResponseError> {
        if !self.by_id.contains_key(id) {
            // Offsets may be kept for a group that nobody joins.
            return if claim.generation < 0 {
                Ok(self.open(id, settings))
            } else {
                Err(ResponseError::IllegalGeneration)
            };
        }
        let group = self.known(id)?;
        let empty = group.state == State::Empty;
        if claim.generation < 0 && empty {
            return Ok(group);
        }
        let claims =
            claim.generation >= 0 || !claim.member_id.is_empty() || claim.instance.is_some();
        if claims {
            group.check_member(claim.member_id, claim.instance, claim.generation)?;
            group.heard_of(claim.member_id, now);
        } else if !transactional && !empty {
            return Err(ResponseError::UnknownMemberId);
        }
        if !transactional && group.state == State::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(group)
    }

    /// A transaction with offsets of this group has ended.
    pub(crate) fn transaction_ended(&mut self, id: &str, producer_id: i64, outcome: Outcome) {
        if let Some(group) = self.by_id.get_mut(id) {
            group.offsets.ended(producer_id, outcome);
        }
    }

    /// DeleteGroups of one group.
    pub(crate) fn delete(&mut self, id: &str) -> Result<(), ResponseError> {
        let group = self.by_id.get(id).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state != State::Empty {
            return Err(ResponseError::NonEmptyGroup);
        }
        self.by_id.remove(id);
        Ok(())
    }

    /// A deleted topic's offsets go with it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.by_id
            .values_mut()
            .for_each(|group| group.offsets.forget_topic(topic));
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Millis) {
        self.by_id.values_mut().for_each(|group| group.tick(now));
    }

    /// Forgets groups with neither members nor offsets. Not as soon as the last member is gone: it may come back, and
    /// must be told that it was thrown out, not that there never was such a group.
    pub(crate) fn bury(&mut self) {
        self.by_id.retain(|_, group| !group.is_dead());
    }

    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.by_id.values().filter_map(Group::next_deadline).min()
    }

    /// The broker was restarted.
    pub(crate) fn restarted(&mut self, now: Millis) {
        self.by_id
            .values_mut()
            .for_each(|group| group.restarted(now));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Overview<'_>)> {
        self.by_id
            .iter()
            .map(|(id, group)| (id.as_str(), group.overview()))
    }
}

impl Group {
    /// The group as tools see it.
    pub(crate) fn overview(&self) -> Overview<'_> {
        Overview {
            state: self.state.name(),
            protocol_type: self.protocol_type.as_deref().unwrap_or_default(),
            protocol: self.protocol.as_deref().unwrap_or_default(),
            members: self.members.values().collect(),
        }
    }
}
