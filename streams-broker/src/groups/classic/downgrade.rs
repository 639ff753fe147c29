//! A group that goes on as a classic one, after it was a consumer group (`ClassicGroup.fromConsumerGroup` in Apache Kafka);
//! and what those who wait are told when it goes the other way.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::member::{Join, Member};
use super::state::State;
use super::{CONSUMER_PROTOCOL, ClassicGroup};
use crate::clock::Millis;

impl ClassicGroup {
    /// A group of consumers, each with its assignment, that are asked to join again.
    pub(in crate::groups) fn of_members(
        generation: i32,
        members: Vec<(Join, Bytes)>,
        initial_delay: Millis,
        now: Millis,
    ) -> Self {
        let mut group = Self::new(initial_delay);
        group.generation = generation;
        group.protocol_type = Some(CONSUMER_PROTOCOL.to_owned());
        group.state = State::Stable;
        for (join, assignment) in members {
            let id = join.member_id.clone();
            if let Some(instance) = &join.instance {
                group.instances.insert(instance.clone(), id.clone());
            }
            let mut member = Member::new(join, now);
            member.assignment = assignment;
            group.members.insert(id, member);
        }
        group.leader = group.members.keys().next().cloned();
        group.protocol = group.choose_protocol();
        group.record();
        group.rebalance(now);
        group
    }

    /// The generation, from which a consumer group's epochs go on.
    pub(in crate::groups) fn generation(&self) -> i32 {
        self.generation
    }

    /// The group has become a consumer group: who waits for an answer asks again.
    pub(in crate::groups) fn dismiss(&mut self) {
        for member in self.members.values_mut() {
            member.refuse(ResponseError::RebalanceInProgress);
        }
    }
}
