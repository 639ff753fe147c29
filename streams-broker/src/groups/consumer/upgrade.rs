//! The consumer group that a live classic group becomes (`ConsumerGroup.fromClassicGroup` in Apache Kafka).

use super::ConsumerGroup;
use super::member::{ClassicSide, Member, MemberState};
use crate::groups::classic::{ClassicGroup, member};
use crate::groups::consumer_protocol::{Subscription, assigned};
use crate::topics::Topics;

impl ConsumerGroup {
    /// Every member keeps what it has, as if that had been its target; `None` if subscriptions or assignments cannot be
    /// read.
    pub(in crate::groups) fn of_classic(group: &ClassicGroup, topics: &Topics) -> Option<Self> {
        let mut consumer = Self::new();
        consumer.epoch = group.generation();
        consumer.target_epoch = group.generation();
        for former in group.members.values() {
            let member = member_of(former, group, topics)?;
            let target = member.partitions();
            consumer.target.insert(member.id.clone(), target);
            consumer.admit(member);
        }
        Some(consumer)
    }
}

fn member_of(former: &member::Member, group: &ClassicGroup, topics: &Topics) -> Option<Member> {
    let join = &former.join;
    let metadata = match &group.protocol {
        Some(protocol) => former.metadata(protocol),
        None => join.protocols.first()?.1.clone(),
    };
    let subscription = Subscription::read(&metadata)?;
    let epoch = group.generation();
    let with_epochs = |partitions: std::collections::BTreeSet<i32>| {
        partitions.into_iter().map(|one| (one, epoch)).collect()
    };
    let partitions = assigned(&former.assignment, topics)?.into_iter();
    Some(Member {
        instance: join.instance.clone(),
        rack: subscription.rack,
        client_id: join.client_id.clone(),
        client_host: join.client_host.clone(),
        rebalance_timeout: join.rebalance_timeout,
        topics: subscription.topics,
        epoch,
        previous_epoch: epoch,
        state: MemberState::Stable,
        assigned: partitions
            .map(|(topic, partitions)| (topic, with_epochs(partitions)))
            .collect(),
        expires: former.expires,
        classic: Some(ClassicSide {
            join: join.clone(),
            must_return: None,
        }),
        ..Member::new(join.member_id.clone())
    })
}
