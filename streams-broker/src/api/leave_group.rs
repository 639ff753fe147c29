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
    if context.version < 3 {
        let left = |()| {
            broker
                .groups
                .leave(&request.group_id, &request.member_id, None, now)
        };
        let result = context.check().and_then(left);
        return LeaveGroupResponse::default().with_error_code(code(result));
    }
    let members = request.members.into_iter().map(|member| {
        let instance = member.group_instance_id.as_deref();
        let left = |()| {
            broker
                .groups
                .leave(&request.group_id, &member.member_id, instance, now)
        };
        let result = context.check().and_then(left);
        MemberResponse::default()
            .with_error_code(code(result))
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
