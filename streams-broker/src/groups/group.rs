//! A group of either type, with the offsets that it keeps whatever its type becomes.

use kafka_protocol::ResponseError;

use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::offsets::{Expiry, Offsets};
use super::{Claim, CommitKind, Committer};
use crate::clock::Millis;

/// Who assigns partitions: a member (classic), or the coordinator (consumer, KIP-848).
#[derive(Debug)]
pub(crate) enum Kind {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    pub(crate) offsets: Offsets,
}

impl Group {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            offsets: Offsets::default(),
        }
    }

    /// Whether it has no members, so that its type may change and it may be deleted.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.is_empty(),
            Kind::Consumer(group) => group.is_empty(),
        }
    }

    /// The type's name.
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(_) => "classic",
            Kind::Consumer(_) => "consumer",
        }
    }

    /// The state's name.
    pub(crate) fn state_name(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(group) => group.state_name(),
            Kind::Consumer(group) => group.state_name(),
        }
    }

    /// What kind of members it has.
    pub(crate) fn protocol_type(&self) -> &str {
        match &self.kind {
            Kind::Classic(group) => group.protocol_type.as_deref().unwrap_or_default(),
            Kind::Consumer(_) => "consumer",
        }
    }

    /// Whether the claim entitles to commit offsets, and of which partitions.
    pub(super) fn check_commit(
        &mut self,
        claim: Claim<'_>,
        kind: CommitKind,
        now: Millis,
    ) -> Result<Committer, ResponseError> {
        match &mut self.kind {
            Kind::Classic(group) => group
                .check_commit(claim, kind, now)
                .map(|()| Committer::OfAny),
            Kind::Consumer(group) => group.check_commit(claim, kind),
        }
    }

    /// Whether the claim entitles to read offsets.
    pub(crate) fn check_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ResponseError> {
        match &self.kind {
            Kind::Classic(_) => Ok(()),
            Kind::Consumer(group) => group.check_fetch(member_id, member_epoch),
        }
    }

    /// Whether offsets of topics that nobody subscribes to may be deleted.
    pub(crate) fn check_offset_delete(&self) -> Result<(), ResponseError> {
        match &self.kind {
            Kind::Classic(group) => group.check_offset_delete(),
            Kind::Consumer(_) => Ok(()),
        }
    }

    /// Whether a member reads the topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.is_subscribed_to(topic),
            Kind::Consumer(group) => group.is_subscribed_to(topic),
        }
    }

    /// Drops offsets that are too old and not in use; says whether nothing is left.
    pub(super) fn expire_offsets(&mut self, retention: Millis, now: Millis) -> bool {
        let expiry = match &self.kind {
            Kind::Classic(group) => group.expiry(),
            Kind::Consumer(_) => Expiry::SinceCommit,
        };
        let kind = &self.kind;
        let subscribed = |topic: &str| match kind {
            Kind::Classic(group) => group.is_subscribed_to(topic),
            Kind::Consumer(group) => group.is_subscribed_to(topic),
        };
        self.offsets.expire(expiry, retention, now, subscribed)
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Millis) {
        match &mut self.kind {
            Kind::Classic(group) => group.tick(now),
            Kind::Consumer(group) => group.tick(now),
        }
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        match &self.kind {
            Kind::Classic(group) => group.next_deadline(),
            Kind::Consumer(group) => group.next_deadline(),
        }
    }
}
