//! A member of a consumer group: what it said, which epoch it has reached, which partitions it holds.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::heartbeat::Heartbeat;
use crate::clock::Millis;
use crate::groups::classic::member::Join;

/// Partitions by topic.
pub(crate) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Partitions by topic, each with the member epoch at which it was assigned.
pub(crate) type Assigned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a static member that has left for a while.
pub(crate) const AWAY: i32 = -2;

/// How far a member has come on its way to the target assignment.
///
/// ```text
/// from \ to              Stable  UnrevokedPartitions  UnreleasedPartitions
/// Stable                    x             x                     x
/// UnrevokedPartitions       x             x                     x
/// UnreleasedPartitions      x             x                     x
/// ```
///
/// Any may follow any, since every heartbeat can meet a new target; what bars the way is who holds which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// It has all that its target assignment gives it.
    Stable,
    /// It is to give up partitions and hasn't said yet that it has.
    UnrevokedPartitions,
    /// It is at the target's epoch, but others still hold some of its partitions.
    UnreleasedPartitions,
}

/// A member.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance: Option<String>,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout: Millis,
    pub(crate) topics: BTreeSet<String>,
    /// The empty expression is none.
    pub(crate) regex: String,
    pub(crate) assignor: Option<String>,
    pub(crate) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: MemberState,
    pub(crate) assigned: Assigned,
    /// Taken from it, but not yet given up.
    pub(in crate::groups) revoking: Assigned,
    /// When it is taken for dead.
    pub(super) expires: Millis,
    /// Until when it must have given up what is taken from it.
    pub(super) must_revoke: Option<Millis>,
    /// Where it speaks the classic protocol.
    pub(crate) classic: Option<ClassicSide>,
}

/// What is known of a member that speaks the classic protocol.
#[derive(Debug, Clone)]
pub(crate) struct ClassicSide {
    /// What it said when it joined last.
    pub(in crate::groups) join: Join,
    /// Until when it must have joined again, or asked for its assignment.
    pub(super) must_return: Option<Millis>,
}

impl Member {
    pub(super) fn new(id: String) -> Self {
        Self {
            id,
            instance: None,
            rack: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout: -1,
            topics: BTreeSet::new(),
            regex: String::new(),
            assignor: None,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Assigned::new(),
            revoking: Assigned::new(),
            expires: Millis::MAX,
            must_revoke: None,
            classic: None,
        }
    }

    /// The same static member under the id of the client that takes its place.
    pub(super) fn taken_over_by(&self, id: String) -> Self {
        Self {
            id,
            epoch: 0,
            previous_epoch: 0,
            ..self.clone()
        }
    }

    /// When it is thrown out if nothing is heard of it.
    pub(super) fn deadline(&self) -> Millis {
        let must_return = self.classic.as_ref().and_then(|side| side.must_return);
        let earlier = self.must_revoke.into_iter().chain(must_return);
        earlier.fold(self.expires, Millis::min)
    }

    /// Takes over what the heartbeat says; fields that it leaves out stay.
    pub(super) fn update(&mut self, said: &Heartbeat) {
        let keep = |old: &mut Option<String>, new: &Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        keep(&mut self.instance, &said.instance);
        keep(&mut self.rack, &said.rack);
        keep(&mut self.assignor, &said.assignor);
        if said.rebalance_timeout >= 0 {
            self.rebalance_timeout = said.rebalance_timeout;
        }
        if let Some(topics) = &said.topics {
            self.topics.clone_from(topics);
        }
        if let Some(regex) = &said.regex {
            self.regex.clone_from(regex);
        }
        self.classic = None;
        self.client_id.clone_from(&said.client_id);
        self.client_host.clone_from(&said.client_host);
    }

    /// Moves on to an epoch, and remembers the one before for an answer that got lost.
    pub(super) fn move_to(&mut self, epoch: i32) {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
    }

    /// Whether it has reached the target of that epoch.
    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// What is assigned to it.
    pub(crate) fn partitions(&self) -> Partitions {
        partitions(&self.assigned)
    }

    /// What it may still work on: what it is to give up, too.
    pub(crate) fn held(&self) -> Partitions {
        let mut held = self.partitions();
        for (topic, revoking) in partitions(&self.revoking) {
            held.entry(topic).or_default().extend(revoking);
        }
        held
    }

    /// Whether it may still work on the partition.
    pub(super) fn holds(&self, topic: Uuid, partition: i32) -> bool {
        contains(&self.assigned, topic, partition) || contains(&self.revoking, topic, partition)
    }
}

pub(super) fn contains(assigned: &Assigned, topic: Uuid, partition: i32) -> bool {
    assigned
        .get(&topic)
        .is_some_and(|partitions| partitions.contains_key(&partition))
}

/// The partitions without their epochs.
fn partitions(assigned: &Assigned) -> Partitions {
    assigned
        .iter()
        .map(|(topic, partitions)| (*topic, partitions.keys().copied().collect()))
        .collect()
}
