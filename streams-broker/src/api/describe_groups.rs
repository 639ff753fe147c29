//! DescribeGroups: state and members of classic groups.

use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::{Context, text};
use crate::broker::Broker;
use crate::groups::Overview;
use crate::groups::member::Member;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|id| {
        let overview = broker.groups.get(&id).map(|group| group.overview());
        let described = match overview {
            Some(overview) => describe(&overview, context.version >= 4),
            None => DescribedGroup::default().with_group_state(text("Dead")),
        };
        described.with_group_id(id)
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn describe(group: &Overview<'_>, knows_instances: bool) -> DescribedGroup {
    let member = |member: &&Member| {
        DescribedGroupMember::default()
            .with_member_id(text(member.join.member_id.clone()))
            .with_group_instance_id(
                member
                    .join
                    .instance
                    .clone()
                    .filter(|_| knows_instances)
                    .map(text),
            )
            .with_client_id(text(member.join.client_id.clone()))
            .with_client_host(text(member.join.client_host.clone()))
            .with_member_metadata(member.metadata(group.protocol))
            .with_member_assignment(member.assignment.clone())
    };
    DescribedGroup::default()
        .with_group_state(text(group.state))
        .with_protocol_type(text(group.protocol_type))
        .with_protocol_data(text(group.protocol))
        .with_members(group.members.iter().map(member).collect())
}
