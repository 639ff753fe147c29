//! What groups take of memory, about: texts and bytes as they are, and a constant for each thing that holds them.

use super::Groups;
use super::classic::ClassicGroup;
use super::classic::member::Join;
use super::consumer::ConsumerGroup;
use super::consumer::member::{Assigned, Member};
use super::group::{Group, Kind};

/// A group or a member, without what it holds.
const ITEM_BYTES: usize = 512;
/// A partition or a name in a set, without its text.
pub(crate) const ENTRY_BYTES: usize = 64;

impl Groups {
    /// The memory that is taken by groups, members and offsets.
    pub(crate) fn footprint(&self) -> usize {
        let of_one = |(id, group): (&String, &Group)| {
            ITEM_BYTES + id.len() + members(group) + group.offsets.footprint()
        };
        self.by_id.iter().map(of_one).sum()
    }

    /// The memory that the members of a group take, with what is assigned to them.
    pub(crate) fn members_footprint(&self, id: &str) -> usize {
        self.by_id.get(id).map_or(0, members)
    }
}

fn members(group: &Group) -> usize {
    match &group.kind {
        Kind::Classic(group) => classic(group),
        Kind::Consumer(group) => consumer(group),
    }
}

fn classic(group: &ClassicGroup) -> usize {
    let members = group.members.iter().map(|(id, member)| {
        // A stable group remembers its members once more, for a restart.
        2 * (ITEM_BYTES + id.len() + said(&member.join) + member.assignment.len())
    });
    let pending = group.pending.keys().map(|id| ENTRY_BYTES + id.len());
    members.chain(pending).sum()
}

fn said(join: &Join) -> usize {
    let protocols = join.protocols.iter();
    let protocols = protocols.map(|(name, metadata)| ENTRY_BYTES + name.len() + metadata.len());
    let instance = join.instance.as_ref().map_or(0, String::len);
    let texts = [
        &join.member_id,
        &join.protocol_type,
        &join.client_id,
        &join.client_host,
    ];
    protocols.sum::<usize>() + instance + texts.map(String::len).iter().sum::<usize>()
}

fn consumer(group: &ConsumerGroup) -> usize {
    let of_one = |member: &Member| {
        let topics = member.topics.iter().map(|topic| ENTRY_BYTES + topic.len());
        let assigned =
            |assigned: &Assigned| assigned.values().map(|held| held.len()).sum::<usize>();
        let target = group.targeted(&member.id);
        let partitions = assigned(&member.assigned) + assigned(&member.revoking) + target;
        let classic = member
            .classic
            .as_ref()
            .map_or(0, |classic| said(&classic.join));
        let texts = [
            &member.id,
            &member.client_id,
            &member.client_host,
            &member.regex,
        ];
        let texts = texts.map(String::len).iter().sum::<usize>();
        // An instance has its member's id once more.
        let optional = [&member.instance, &member.instance, &member.rack];
        let optional = optional.into_iter().flatten().map(String::len);
        let texts = texts + member.id.len() + optional.sum::<usize>();
        ITEM_BYTES + texts + topics.sum::<usize>() + partitions * ENTRY_BYTES + classic
    };
    let members: usize = group.members().map(of_one).sum();
    members + group.subscription_footprint()
}
