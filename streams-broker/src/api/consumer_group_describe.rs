//! ConsumerGroupDescribe: epochs, members and assignments of consumer groups.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, TopicName,
};

use kafka_protocol::protocol::StrBytes;

use super::once::once;
use super::operations::{OF_GROUP, UNTOLD};
use super::{Context, text};
use crate::broker::Broker;
use crate::groups::consumer::ConsumerGroup;
use crate::groups::consumer::member::{Member, Partitions};
use crate::groups::{Group, Kind};
use crate::topics::Topics;

/// The type of a member that speaks the classic protocol.
const CLASSIC: i8 = 0;
/// The type of a member that speaks the consumer protocol.
const CONSUMER: i8 = 1;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let may_do = if request.include_authorized_operations {
        OF_GROUP
    } else {
        UNTOLD
    };
    let groups = once(request.group_ids, Clone::clone).map(|id| {
        let described = context
            .check()
            .and_then(|()| describe(broker, context, &id));
        match described {
            Ok(described) => described
                .with_group_id(id)
                .with_authorized_operations(may_do),
            Err(error) => DescribedGroup::default()
                .with_error_code(error.code())
                .with_error_message(words(&id, error))
                .with_group_id(id),
        }
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

/// What is said beside the code.
fn words(id: &GroupId, error: ResponseError) -> Option<StrBytes> {
    match error {
        ResponseError::InvalidGroupId => None,
        ResponseError::GroupIdNotFound => Some(text(format!("Group {} not found.", &***id))),
        other => Some(text(other.to_string())),
    }
}

fn describe(
    broker: &Broker,
    context: &Context<'_>,
    id: &GroupId,
) -> Result<DescribedGroup, ResponseError> {
    if id.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    let found = broker.groups.get(id);
    let Some((group, Kind::Consumer(consumer))) = found.map(|group| (group, &group.kind)) else {
        return Err(ResponseError::GroupIdNotFound);
    };
    Ok(described(group, consumer, &broker.topics, context.version))
}

fn described(
    group: &Group,
    consumer: &ConsumerGroup,
    topics: &Topics,
    version: i16,
) -> DescribedGroup {
    let one = |member: &Member| {
        let held = assignment(&member.held(), topics);
        let target = assignment(&consumer.target_of(&member.id), topics);
        let names = member.topics.iter().map(|name| TopicName(text(name)));
        let described = DescribedMember::default()
            .with_member_id(text(&member.id))
            .with_instance_id(member.instance.clone().map(text))
            .with_rack_id(member.rack.clone().map(text))
            .with_member_epoch(member.epoch)
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_subscribed_topic_names(names.collect())
            .with_subscribed_topic_regex(Some(text(&member.regex)))
            .with_assignment(held)
            .with_target_assignment(target);
        if version >= 1 {
            let speaks_classic = member.classic.is_some();
            described.with_member_type(if speaks_classic { CLASSIC } else { CONSUMER })
        } else {
            described
        }
    };
    DescribedGroup::default()
        .with_group_state(text(group.state_name()))
        .with_group_epoch(consumer.epoch)
        .with_assignment_epoch(consumer.target_epoch)
        .with_assignor_name(text(consumer.assignor().name()))
        .with_members(consumer.members().map(one).collect())
}

/// Topics that are gone have no name to be described with.
fn assignment(partitions: &Partitions, topics: &Topics) -> Assignment {
    let topic = |(id, partitions): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| {
        let name = topics.name_of(*id)?;
        let described = TopicPartitions::default()
            .with_topic_id(*id)
            .with_topic_name(TopicName(text(name)))
            .with_partitions(partitions.iter().copied().collect());
        Some(described)
    };
    Assignment::default().with_topic_partitions(partitions.iter().filter_map(topic).collect())
}
