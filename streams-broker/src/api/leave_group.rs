//! LeaveGroup: one member before version 3, several after.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::context::Places;
use super::{Context, code};
use crate::broker::Broker;
use crate::faults::ErrorLevel;

/// Before version 3 the one member has the answer's code.
const PLACES: Places = Places {
    answer_from: 3,
    usual: ErrorLevel::Parts,
};

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    if let Err(error) = context.check_at(ErrorLevel::Answer, PLACES) {
        return LeaveGroupResponse::default().with_error_code(error.code());
    }
    if context.version >= 3 && request.group_id.is_empty() {
        let error = ResponseError::InvalidGroupId.code();
        return LeaveGroupResponse::default().with_error_code(error);
    }
    let now = broker.now();
    let (topics, settings) = (&broker.topics, &broker.settings);
    let groups = &mut broker.groups;
    let mut leave = |member_id: &str, instance: Option<&str>| {
        context.check_at(ErrorLevel::Parts, PLACES)?;
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
