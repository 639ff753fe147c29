//! Heartbeat: keeps a member's session, and tells it of rebalances.

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Context, code};
use crate::broker::Broker;
use crate::groups::Claim;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let claim = Claim {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let now = broker.now();
    let heard = |()| broker.groups.heartbeat(&request.group_id, claim, now);
    let result = context.check().and_then(heard);
    HeartbeatResponse::default().with_error_code(code(result))
}
