//! ConsumerGroupHeartbeat: how a member joins, stays, tells what it owns, and leaves.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;

use super::ConsumerGroup;
use super::assignor::Assignor;
use super::member::{AWAY, Assigned, Member, MemberState, Partitions, contains};
use super::reconciliation::{Goal, Progress};
use super::subscription::Change;
use crate::clock::Millis;
use crate::settings::Settings;
use crate::topics::Topics;

/// The epoch with which a member leaves.
const LEAVING: i32 = -1;

/// What a member says. What is `None` has not changed since it said it last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeat {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) instance: Option<String>,
    pub(crate) rack: Option<String>,
    /// -1 where it has not changed.
    pub(crate) rebalance_timeout: Millis,
    pub(crate) topics: Option<BTreeSet<String>>,
    pub(crate) regex: Option<String>,
    pub(crate) assignor: Option<String>,
    /// The partitions that it works on.
    pub(crate) owned: Option<Partitions>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    /// Where there is news, or the member asked for everything.
    pub(crate) assignment: Option<Partitions>,
}

impl Heartbeat {
    /// Whether the request makes sense by itself. From version 1 on clients choose their ids.
    pub(crate) fn check(&self, chooses_id: bool) -> Result<(), ResponseError> {
        let epoch = self.member_epoch;
        let is_empty = |text: &Option<String>| text.as_deref() == Some("");
        let needs_id = chooses_id || epoch > 0 || epoch == LEAVING;
        let nameless = self.member_id.is_empty() && needs_id;
        let half_joined = epoch == 0
            && (self.rebalance_timeout == -1
                || self.owned.as_ref().is_none_or(|owned| !owned.is_empty())
                || (self.topics.is_none() && self.regex.is_none()));
        let away_without_instance = epoch == AWAY && self.instance.is_none();
        if nameless
            || is_empty(&self.instance)
            || is_empty(&self.rack)
            || half_joined
            || away_without_instance
            || epoch < AWAY
        {
            return Err(ResponseError::InvalidRequest);
        }
        match &self.assignor {
            Some(name) if Assignor::of(name).is_none() => Err(ResponseError::UnsupportedAssignor),
            _ => Ok(()),
        }
    }

    /// Whether the member tells everything, and so wants to be told everything.
    fn is_full(&self) -> bool {
        let subscribes = self.topics.is_some() || self.regex.is_some();
        self.member_epoch == 0
            || (self.rebalance_timeout != -1 && subscribes && self.owned.is_some())
    }
}

impl ConsumerGroup {
    /// A heartbeat of a checked shape.
    pub(crate) fn heartbeat(
        &mut self,
        said: &Heartbeat,
        topics: &Topics,
        settings: &Settings,
        now: Millis,
    ) -> Result<Beat, ResponseError> {
        if said.member_epoch < 0 {
            return self.leave(said);
        }
        let limit = settings.number("group.consumer.max.size");
        let full = i64::try_from(self.members.len()).unwrap_or(i64::MAX) >= limit;
        if full && !self.members.contains_key(&said.member_id) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let before = self.find(said)?;
        let mut member = before.clone();
        member.update(said);
        let change = self.change_of(&before, &member)?;
        let session = settings.number("group.consumer.session.timeout.ms");
        member.expires = now.saturating_add(session);
        let id = member.id.clone();
        self.admit(member);
        let progress = Progress {
            owned: said.owned.as_ref(),
            change,
        };
        self.follow(&id, progress, topics, settings, now);
        self.resolve_regexes(topics, now);
        self.answer(&id, said, &before)
    }

    /// Follows what has changed, and brings the member who said something as far as it gets.
    pub(super) fn follow(
        &mut self,
        id: &str,
        progress: Progress<'_>,
        topics: &Topics,
        settings: &Settings,
        now: Millis,
    ) {
        if self.follow_topics(topics) || progress.change == Change::Known {
            self.epoch += 1;
        }
        self.assign(topics, settings, now);
        self.reconcile(id, progress, topics, now);
    }

    fn answer(&self, id: &str, said: &Heartbeat, before: &Member) -> Result<Beat, ResponseError> {
        let member = self.members.get(id).ok_or(ResponseError::UnknownMemberId)?;
        let held = member.partitions();
        let news = said.is_full() || held != before.partitions();
        Ok(Beat {
            member_id: id.to_owned(),
            member_epoch: member.epoch,
            assignment: news.then_some(held),
        })
    }

    /// The member that speaks: one that is known, a new one, or a new client in a static member's place.
    fn find(&self, said: &Heartbeat) -> Result<Member, ResponseError> {
        let joins = said.member_epoch == 0;
        let fresh = || Member::new(said.member_id.clone());
        let Some(instance) = &said.instance else {
            return match self.members.get(&said.member_id) {
                Some(member) => member.check_epoch(said).map(|()| member.clone()),
                None if joins => Ok(fresh()),
                None => Err(ResponseError::UnknownMemberId),
            };
        };
        match self.static_member(instance) {
            // Who speaks the classic protocol cannot say that it leaves for a while.
            Some(member) if joins && (member.epoch == AWAY || member.classic.is_some()) => {
                Ok(member.taken_over_by(said.member_id.clone()))
            }
            Some(_) if joins => Err(ResponseError::UnreleasedInstanceId),
            Some(member) if member.id != said.member_id => Err(ResponseError::FencedInstanceId),
            Some(member) => member.check_epoch(said).map(|()| member.clone()),
            None if joins => Ok(self
                .members
                .get(&said.member_id)
                .cloned()
                .unwrap_or_else(fresh)),
            None => Err(ResponseError::UnknownMemberId),
        }
    }

    /// Puts the member into the group; a static one in the place of its former client, whose target it gets.
    pub(super) fn admit(&mut self, member: Member) {
        if let Some(instance) = &member.instance {
            let former = self.instances.insert(instance.clone(), member.id.clone());
            if let Some(former) = former.filter(|former| *former != member.id) {
                self.members.remove(&former);
                if let Some(target) = self.target.remove(&former) {
                    self.target.insert(member.id.clone(), target);
                }
            }
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Brings the member as near to its target as is possible now.
    fn reconcile(&mut self, id: &str, progress: Progress<'_>, topics: &Topics, now: Millis) {
        let Some(mut member) = self.members.get(id).cloned() else {
            return;
        };
        let before = (
            member.state,
            member.assigned.clone(),
            member.revoking.clone(),
        );
        let others = |topic, partition| {
            self.members
                .values()
                .any(|other| other.id != id && other.holds(topic, partition))
        };
        let none = Partitions::new();
        member.reconcile(&Goal {
            epoch: self.target_epoch,
            partitions: self.target.get(id).unwrap_or(&none),
            subscribed: &self.topic_ids_of(&member, topics),
            subscription_changed: progress.change != Change::None,
            owned: progress.owned,
            is_held: &others,
        });
        if member.state != MemberState::UnrevokedPartitions {
            member.must_revoke = None;
        } else if before
            != (
                member.state,
                member.assigned.clone(),
                member.revoking.clone(),
            )
        {
            member.must_revoke = Some(now.saturating_add(member.rebalance_timeout));
        }
        self.members.insert(id.to_owned(), member);
    }

    /// Leaving for good, or, as a static member, for a while.
    fn leave(&mut self, said: &Heartbeat) -> Result<Beat, ResponseError> {
        let member = match &said.instance {
            None => self.members.get(&said.member_id),
            Some(instance) => self.static_member(instance),
        };
        let member = member.ok_or(ResponseError::UnknownMemberId)?;
        if member.id != said.member_id {
            return Err(ResponseError::FencedInstanceId);
        }
        let id = member.id.clone();
        if said.member_epoch == AWAY && said.instance.is_some() {
            self.let_away(&id);
        } else {
            self.fence(&id);
        }
        Ok(Beat {
            member_id: id,
            member_epoch: said.member_epoch,
            assignment: None,
        })
    }

    /// A static member keeps its partitions while it is away, until its session ends.
    fn let_away(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.epoch = AWAY;
            member.revoking = Assigned::new();
            for partitions in member.assigned.values_mut() {
                partitions.values_mut().for_each(|epoch| *epoch = 0);
            }
        }
    }
}

impl Member {
    /// Whether the member speaks with the epoch that it was told last, or the one before if that answer may be lost.
    fn check_epoch(&self, said: &Heartbeat) -> Result<(), ResponseError> {
        let epoch = said.member_epoch;
        let current = epoch == 0 || epoch == self.epoch;
        let previous = epoch == self.previous_epoch && epoch < self.epoch && self.covers(said);
        if current || previous {
            Ok(())
        } else {
            Err(ResponseError::FencedMemberEpoch)
        }
    }

    /// Whether all that the client says it owns is assigned to it.
    fn covers(&self, said: &Heartbeat) -> bool {
        said.owned.as_ref().is_some_and(|owned| {
            owned.iter().all(|(topic, partitions)| {
                partitions
                    .iter()
                    .all(|partition| contains(&self.assigned, *topic, *partition))
            })
        })
    }
}
