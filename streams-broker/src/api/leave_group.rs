//! LeaveGroup: one member before version 3, several after.

use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Context, code};
use crate::broker::Broker;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let now = broker.now();
    let (topics, settings) = (&broker.topics, &broker.settings);
    let groups = &mut broker.groups;
    let mut leave = |member_id: &str, instance: Option<&str>| {
        context.check()?;
        groups.leave(
            &request.group_id,
            member_id,
            instance,
            topics,
            settings,
            now,
        )
    };
    if context.version < 3 {
        let result = leave(&request.member_id, None);
        return LeaveGroupResponse::default().with_error_code(code(result));
    }
    let members = request.members.into_iter().map(|member| {
        let result = leave(&member.member_id, member.group_instance_id.as_deref());
        MemberResponse::default()
            .with_error_code(code(result))
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
