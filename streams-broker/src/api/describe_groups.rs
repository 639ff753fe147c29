//! DescribeGroups: state and members of classic groups.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::once::once;
use super::operations::{OF_GROUP, UNTOLD};
use super::{Context, text};
use crate::broker::Broker;
use crate::groups::classic::ClassicGroup;
use crate::groups::classic::member::Member;
use crate::groups::{Group, Kind};

/// The version from which on a group that isn't there is an error, and not a dead group only (KIP-1043).
const KNOWS_MISSING: i16 = 6;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let may_do = if request.include_authorized_operations {
        OF_GROUP
    } else {
        UNTOLD
    };
    let groups = once(request.groups, Clone::clone).map(|id| {
        let group = broker.groups.get(&id);
        let described = match group.map(|group| (group, &group.kind)) {
            _ if context.check().is_err() => {
                DescribedGroup::default().with_error_code(super::code(context.check()))
            }
            Some((group, Kind::Classic(classic))) => describe(group, classic, context.version >= 4),
            Some((_, Kind::Consumer(_))) => missing(&id, "is not a classic group", context.version),
            None => missing(&id, "not found", context.version),
        };
        let described = described.with_group_id(id);
        match described.error_code {
            0 => described.with_authorized_operations(may_do),
            _ => described,
        }
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn missing(id: &str, why: &str, version: i16) -> DescribedGroup {
    let dead = DescribedGroup::default().with_group_state(text("Dead"));
    if version < KNOWS_MISSING {
        return dead;
    }
    dead.with_error_code(ResponseError::GroupIdNotFound.code())
        .with_error_message(Some(text(format!("Group {id} {why}."))))
}

fn describe(group: &Group, classic: &ClassicGroup, knows_instances: bool) -> DescribedGroup {
    // During a rebalance nothing is told of what members want and have.
    let protocol = classic.protocol.as_deref().filter(|_| classic.is_stable());
    let member = |member: &Member| {
        let instance = member.join.instance.clone().filter(|_| knows_instances);
        let described = DescribedGroupMember::default()
            .with_member_id(text(member.join.member_id.clone()))
            .with_group_instance_id(instance.map(text))
            .with_client_id(text(member.join.client_id.clone()))
            .with_client_host(text(member.join.client_host.clone()));
        match protocol {
            Some(protocol) => described
                .with_member_metadata(member.metadata(protocol))
                .with_member_assignment(member.assignment.clone()),
            None => described,
        }
    };
    DescribedGroup::default()
        .with_group_state(text(group.state_name()))
        .with_protocol_type(text(group.protocol_type()))
        .with_protocol_data(text(protocol.unwrap_or_default()))
        .with_members(classic.members.values().map(member).collect())
}
