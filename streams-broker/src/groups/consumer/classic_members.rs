//! Members of a consumer group that speak the classic protocol: they join, sync, beat and leave as they are used to, and
//! the coordinator assigns all the same. To each its member epoch is the generation; there is no leader, and the answer
//! to a join doesn't wait for the others.
//!
//! The rules are those of `GroupMetadataManager.classicGroup…ToConsumerGroup` in Apache Kafka (KIP-848).

use kafka_protocol::ResponseError;

use super::ConsumerGroup;
use super::member::{ClassicSide, Member, MemberState};
use super::reconciliation::Progress;
use crate::clock::Millis;
use crate::groups::Claim;
use crate::groups::classic::CONSUMER_PROTOCOL;
use crate::groups::classic::member::{Join, JoinAnswer, JoinRefused, Joined, Synced};
use crate::groups::consumer_protocol::Subscription;
use crate::settings::Settings;
use crate::topics::Topics;

impl ConsumerGroup {
    /// Whether nobody is left who speaks the consumer protocol.
    pub(in crate::groups) fn is_of_classic_members(&self) -> bool {
        !self.members.is_empty() && self.members.values().all(|one| one.classic.is_some())
    }

    /// JoinGroup: answered at once, with the epoch that the member has reached. `fresh_id` is for a member without one.
    pub(in crate::groups) fn join(
        &mut self,
        join: Join,
        fresh_id: String,
        topics: &Topics,
        settings: &Settings,
        now: Millis,
    ) -> JoinAnswer {
        let nameless = join.member_id.is_empty();
        let member_id = if nameless {
            fresh_id
        } else {
            join.member_id.clone()
        };
        let joined = if nameless && join.instance.is_none() && join.asks_for_id {
            // Its subscription is read when it comes with its id.
            self.check_names(&join)
                .and(Err(ResponseError::MemberIdRequired))
        } else {
            self.admit_classic(join, &member_id, topics, settings, now)
        };
        joined.map_err(|code| JoinRefused { code, member_id })
    }

    fn admit_classic(
        &mut self,
        mut join: Join,
        id: &str,
        topics: &Topics,
        settings: &Settings,
        now: Millis,
    ) -> Result<Joined, ResponseError> {
        let limit = settings.number("group.consumer.max.size");
        let full = i64::try_from(self.members.len()).unwrap_or(i64::MAX) >= limit;
        if full && !self.members.contains_key(&join.member_id) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        self.check_names(&join)?;
        let before = self.find_joining(&join, id)?;
        let (protocol, subscription) = first_protocol(&join)?;
        join.member_id = id.to_owned();
        let mut member = before.clone();
        member.instance.clone_from(&join.instance);
        member.rack.clone_from(&subscription.rack);
        member.rebalance_timeout = join.rebalance_timeout;
        member.topics.clone_from(&subscription.topics);
        member.regex.clear();
        member.assignor = None;
        member.client_id.clone_from(&join.client_id);
        member.client_host.clone_from(&join.client_host);
        member.expires = now.saturating_add(join.session_timeout);
        // It has as long to ask for its assignment.
        let must_return = Some(now.saturating_add(join.rebalance_timeout));
        member.classic = Some(ClassicSide { join, must_return });
        let change = self.change_of(&before, &member)?;
        self.admit(member);
        let owned = subscription.owned(topics);
        let progress = Progress {
            owned: Some(&owned),
            change,
        };
        self.follow(id, progress, topics, settings, now);
        let member = self.members.get(id).ok_or(ResponseError::UnknownMemberId)?;
        Ok(Joined {
            generation: member.epoch,
            protocol_type: CONSUMER_PROTOCOL.to_owned(),
            protocol,
            leader: String::new(),
            member_id: id.to_owned(),
            skip_assignment: false,
            members: Vec::new(),
        })
    }

    /// Some protocol must be known to all classic members.
    fn check_names(&self, join: &Join) -> Result<(), ResponseError> {
        let mut others = self
            .members
            .values()
            .filter(|member| member.id != join.member_id)
            .filter_map(|member| member.classic.as_ref());
        let of_others = |name: &String| others.all(|other| other.supports(name));
        let mut names = join.protocols.iter().map(|(name, _)| name);
        if join.protocol_type != CONSUMER_PROTOCOL || !names.any(of_others) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// The member that joins: one that is known, a new one, or a new client in a static member's place.
    fn find_joining(&self, join: &Join, id: &str) -> Result<Member, ResponseError> {
        let instance = join.instance.as_ref();
        match instance.and_then(|instance| self.static_member(instance)) {
            Some(member) if member.id == id => Ok(member.clone()),
            Some(_) if !join.member_id.is_empty() => Err(ResponseError::FencedInstanceId),
            Some(member) => Ok(member.taken_over_by(id.to_owned())),
            None if instance.is_some() && !join.member_id.is_empty() => {
                Err(ResponseError::UnknownMemberId)
            }
            None => {
                let known = self.members.get(id).cloned();
                Ok(known.unwrap_or_else(|| Member::new(id.to_owned())))
            }
        }
    }

    /// SyncGroup: the assignment of the epoch that the member has reached.
    pub(in crate::groups) fn sync(
        &mut self,
        claim: Claim<'_>,
        said: (Option<&str>, Option<&str>),
        topics: &Topics,
        now: Millis,
    ) -> Result<Synced, ResponseError> {
        let epoch = self.epoch;
        let (member, side) = self.classic_member(claim)?;
        let held = side.join.protocols.first();
        let (protocol, metadata) = held.ok_or(ResponseError::InconsistentGroupProtocol)?;
        let agrees = |said: Option<&str>, held: &str| said.is_none_or(|said| said == held);
        if !(agrees(said.0, CONSUMER_PROTOCOL) && agrees(said.1, protocol)) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        // One that has partitions to give up has joined again already, and is told which they are.
        if epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            return Err(self.must_rejoin(claim.member_id, now));
        }
        let subscription = Subscription::read(metadata);
        let subscription = subscription.ok_or(ResponseError::InconsistentGroupProtocol)?;
        let synced = Synced {
            protocol_type: CONSUMER_PROTOCOL.to_owned(),
            protocol: protocol.clone(),
            assignment: subscription.assignment(&member.partitions(), topics),
        };
        if let Some(side) = self.classic_side(claim.member_id) {
            side.must_return = None;
        }
        Ok(synced)
    }

    /// Heartbeat: REBALANCE_IN_PROGRESS where the member comes further by joining again.
    pub(in crate::groups) fn classic_heartbeat(
        &mut self,
        claim: Claim<'_>,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let epoch = self.epoch;
        let (member, side) = self.classic_member(claim)?;
        let expires = now.saturating_add(side.join.session_timeout);
        let behind = member.epoch < epoch
            || member.state == MemberState::UnrevokedPartitions
            || (member.state == MemberState::UnreleasedPartitions && !self.waits_for(member));
        if let Some(member) = self.members.get_mut(claim.member_id) {
            member.expires = expires;
        }
        if behind {
            Err(self.must_rejoin(claim.member_id, now))
        } else {
            Ok(())
        }
    }

    /// Whether others still work on a partition that is to become this member's.
    fn waits_for(&self, member: &Member) -> bool {
        let target = self.target.get(&member.id).into_iter().flatten();
        let mut partitions =
            target.flat_map(|(topic, partitions)| partitions.iter().map(|one| (*topic, *one)));
        partitions.any(|(topic, partition)| {
            !member.holds(topic, partition)
                && self
                    .members
                    .values()
                    .any(|other| other.holds(topic, partition))
        })
    }

    /// LeaveGroup, of a member or of a static member by its instance; tools remove members of either protocol with it.
    pub(in crate::groups) fn remove(
        &mut self,
        id: &str,
        instance: Option<&str>,
    ) -> Result<(), ResponseError> {
        let member = match instance {
            Some(instance) => self.static_member(instance),
            None => self.members.get(id),
        };
        let member = member.ok_or(ResponseError::UnknownMemberId)?;
        if instance.is_some() && !id.is_empty() && member.id != id {
            return Err(ResponseError::FencedInstanceId);
        }
        let id = member.id.clone();
        self.fence(&id);
        Ok(())
    }

    /// The member that claims to be one, which must speak the classic protocol.
    fn classic_member(&self, claim: Claim<'_>) -> Result<(&Member, &ClassicSide), ResponseError> {
        let member = match claim.instance {
            Some(instance) => self.static_member(instance),
            None => self.members.get(claim.member_id),
        };
        let member = member.ok_or(ResponseError::UnknownMemberId)?;
        if member.id != claim.member_id {
            return Err(ResponseError::FencedInstanceId);
        }
        let side = member.classic.as_ref();
        let side = side.ok_or(ResponseError::UnknownMemberId)?;
        if claim.generation == member.epoch {
            Ok((member, side))
        } else {
            Err(ResponseError::IllegalGeneration)
        }
    }

    fn classic_side(&mut self, id: &str) -> Option<&mut ClassicSide> {
        self.members.get_mut(id)?.classic.as_mut()
    }

    /// Tells a member to join again, for which it has as long as a rebalance may take.
    fn must_rejoin(&mut self, id: &str, now: Millis) -> ResponseError {
        if let Some(side) = self.classic_side(id) {
            let until = now.saturating_add(side.join.rebalance_timeout);
            side.must_return.get_or_insert(until);
        }
        ResponseError::RebalanceInProgress
    }
}

/// The protocol that the member would use, and its subscription. Apache Kafka fails on one that it cannot read.
fn first_protocol(join: &Join) -> Result<(String, Subscription), ResponseError> {
    let first = join.protocols.first();
    first
        .and_then(|(name, metadata)| Some((name.clone(), Subscription::read(metadata)?)))
        .ok_or(ResponseError::UnknownServerError)
}

impl ClassicSide {
    fn supports(&self, protocol: &str) -> bool {
        let mut protocols = self.join.protocols.iter();
        protocols.any(|(name, _)| name == protocol)
    }
}

#[cfg(test)]
mod tests;
