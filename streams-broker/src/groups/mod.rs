//! The group coordinator: finds the group, checks who asks, and lets the group do the rest.
//!
//! Invariants: a member may do something only under the id, instance and generation (or epoch) that it holds now;
//! offsets of a live group are committed by its members only; a group that changes its type keeps its offsets, and, if it
//! is live, its members.

pub(crate) mod classic;
pub(crate) mod consumer;
mod consumer_protocol;
pub(crate) mod footprint;
mod group;
mod migration;
pub(crate) mod offsets;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use self::classic::ClassicGroup;
use self::classic::member::{Join, JoinAnswer, JoinRefused, SyncAnswer};
pub(crate) use self::consumer::Committer;
use self::consumer::ConsumerGroup;
use self::consumer::heartbeat::{Beat, Heartbeat};
pub(crate) use self::group::{Group, Kind};
use crate::clock::Millis;
use crate::log::batch::Outcome;
use crate::settings::Settings;
use crate::topics::Topics;

/// Who asks: the identity that a member claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance: Option<&'a str>,
    /// Or the member's epoch.
    pub(crate) generation: i32,
}

/// How offsets are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitKind {
    /// OffsetCommit before version 9, which knows classic groups only.
    Older,
    /// OffsetCommit from version 9 on.
    Plain,
    /// TxnOffsetCommit.
    Transactional,
}

impl CommitKind {
    /// The answer to a member of a group that doesn't exist.
    fn unknown_group(self) -> ResponseError {
        match self {
            CommitKind::Plain => ResponseError::GroupIdNotFound,
            CommitKind::Older | CommitKind::Transactional => ResponseError::IllegalGeneration,
        }
    }
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.by_id.iter().map(|(id, group)| (id.as_str(), group))
    }

    // ---- classic groups

    /// A classic group that exists.
    fn classic(&mut self, id: &str) -> Result<&mut ClassicGroup, ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        match self.by_id.get_mut(id).map(|group| &mut group.kind) {
            Some(Kind::Classic(group)) => Ok(group),
            Some(Kind::Consumer(_)) | None => Err(ResponseError::UnknownMemberId),
        }
    }

    /// The group, made as a classic one if it doesn't exist.
    fn open(&mut self, id: &str, settings: &Settings) -> &mut Group {
        let delay = settings.number("group.initial.rebalance.delay.ms");
        self.by_id
            .entry(id.to_owned())
            .or_insert_with(|| Group::new(Kind::Classic(ClassicGroup::new(delay))))
    }

    /// JoinGroup; the answer may come later.
    pub(crate) fn join(
        &mut self,
        id: &str,
        join: Join,
        topics: &Topics,
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
        let delay = settings.number("group.initial.rebalance.delay.ms");
        let group = self.open(id, settings);
        if group.is_empty() && matches!(group.kind, Kind::Consumer(_)) {
            group.kind = Kind::Classic(ClassicGroup::new(delay));
        }
        match &mut group.kind {
            Kind::Classic(group) => group.join(join, fresh_id, now, answer),
            Kind::Consumer(consumer) => {
                // A client that is gone asks again.
                let _ = answer.send(consumer.join(join, fresh_id, topics, settings, now));
                // It may have taken the place of the last member that spoke the other protocol.
                migration::downgrade(group, topics, settings, now);
            }
        }
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
        let size = match self.by_id.get(id).map(|group| &group.kind) {
            // It has a size and ids of its own.
            Some(Kind::Consumer(group)) if !group.is_empty() => return Ok(()),
            Some(Kind::Classic(group)) => Some(group.members.len()),
            Some(Kind::Consumer(_)) | None => None,
        };
        if size.is_none() && !join.member_id.is_empty() {
            return Err(ResponseError::UnknownMemberId);
        }
        let size = i64::try_from(size.unwrap_or_default()).unwrap_or(i64::MAX);
        if size >= settings.number("group.max.size") && join.member_id.is_empty() {
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
        topics: &Topics,
        now: Millis,
    ) -> oneshot::Receiver<SyncAnswer> {
        let (answer, receiver) = oneshot::channel();
        if let Some(group) = self.consumer(id) {
            let _ = answer.send(group.sync(claim, protocol, topics, now));
            return receiver;
        }
        let checked = self.classic(id).and_then(|group| {
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
        if let Some(group) = self.consumer(id) {
            return group.classic_heartbeat(claim, now);
        }
        let group = self.classic(id)?;
        group.check_member(claim.member_id, claim.instance, claim.generation)?;
        group.heartbeat(claim.member_id, now)
    }

    /// LeaveGroup of one member.
    pub(crate) fn leave(
        &mut self,
        id: &str,
        member_id: &str,
        instance: Option<&str>,
        topics: &Topics,
        settings: &Settings,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let Some(consumer) = self.consumer(id) else {
            return self.classic(id)?.leave(member_id, instance, now);
        };
        consumer.remove(member_id, instance)?;
        if let Some(group) = self.by_id.get_mut(id) {
            migration::downgrade(group, topics, settings, now);
        }
        Ok(())
    }

    // ---- consumer groups

    /// A consumer group that exists.
    fn consumer(&mut self, id: &str) -> Option<&mut ConsumerGroup> {
        match &mut self.by_id.get_mut(id)?.kind {
            Kind::Consumer(group) => Some(group),
            Kind::Classic(_) => None,
        }
    }

    /// ConsumerGroupHeartbeat: joining, staying and leaving are all this.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        id: &str,
        heartbeat: &Heartbeat,
        topics: &Topics,
        settings: &Settings,
        now: Millis,
    ) -> Result<Beat, ResponseError> {
        let Some(group) = self.by_id.get_mut(id) else {
            let mut consumer = new_consumer_group(heartbeat)?;
            let beat = consumer.heartbeat(heartbeat, topics, settings, now)?;
            let group = Group::new(Kind::Consumer(consumer));
            self.by_id.insert(id.to_owned(), group);
            return Ok(beat);
        };
        let is_empty = group.is_empty();
        match &mut group.kind {
            Kind::Consumer(consumer) => {
                let beat = consumer.heartbeat(heartbeat, topics, settings, now)?;
                migration::downgrade(group, topics, settings, now);
                Ok(beat)
            }
            Kind::Classic(classic) => {
                let mut consumer = new_consumer_group(heartbeat)?;
                if !is_empty {
                    consumer = migration::upgraded(classic, topics, settings)?;
                }
                let beat = consumer.heartbeat(heartbeat, topics, settings, now)?;
                classic.dismiss();
                group.kind = Kind::Consumer(consumer);
                Ok(beat)
            }
        }
    }

    // ---- offsets

    /// Whether the claim entitles to commit offsets; gives the group to commit to, and of which partitions.
    pub(crate) fn for_commit(
        &mut self,
        id: &str,
        claim: Claim<'_>,
        kind: CommitKind,
        settings: &Settings,
        now: Millis,
    ) -> Result<(&mut Group, Committer), ResponseError> {
        if !self.by_id.contains_key(id) && claim.generation >= 0 {
            return Err(kind.unknown_group());
        }
        // Offsets may be kept for a group that nobody joins.
        let group = self.open(id, settings);
        let committer = group.check_commit(claim, kind, now)?;
        Ok((group, committer))
    }

    /// The group whose offsets are to be deleted.
    pub(crate) fn for_offset_delete(&mut self, id: &str) -> Result<&mut Group, ResponseError> {
        let group = self
            .by_id
            .get_mut(id)
            .ok_or(ResponseError::GroupIdNotFound)?;
        group.check_offset_delete()?;
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
        if !group.is_empty() {
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

    /// Drops offsets that are too old, and groups with neither members nor offsets. Not as soon as the last member is
    /// gone: it may come back, and must be told that it was thrown out, not that there never was such a group.
    pub(crate) fn clean_up(&mut self, retention: Millis, now: Millis) {
        self.by_id.retain(|_, group| {
            let nothing_left = group.expire_offsets(retention, now);
            !(nothing_left && group.is_empty())
        });
    }

    // ---- time

    /// Does what is due.
    pub(crate) fn tick(&mut self, topics: &Topics, settings: &Settings, now: Millis) {
        for group in self.by_id.values_mut() {
            group.tick(now);
            migration::downgrade(group, topics, settings, now);
        }
    }

    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.by_id.values().filter_map(Group::next_deadline).min()
    }

    /// The broker was restarted.
    pub(crate) fn restarted(&mut self, settings: &Settings, now: Millis) {
        let session = settings.number("group.consumer.session.timeout.ms");
        for group in self.by_id.values_mut() {
            match &mut group.kind {
                Kind::Classic(group) => group.restarted(now),
                Kind::Consumer(group) => group.restarted(now, session),
            }
        }
    }
}

/// A consumer group for who joins; of one that doesn't exist nobody is a member.
fn new_consumer_group(heartbeat: &Heartbeat) -> Result<ConsumerGroup, ResponseError> {
    if heartbeat.member_epoch == 0 {
        Ok(ConsumerGroup::new())
    } else {
        Err(ResponseError::GroupIdNotFound)
    }
}
