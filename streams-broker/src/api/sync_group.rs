//! SyncGroup: waits until the group's leader has brought the assignments.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{Context, text};
use crate::groups::Claim;

pub(super) async fn handle(context: &Context<'_>, request: SyncGroupRequest) -> SyncGroupResponse {
    let copy =
        |assignment: &kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment| {
            (
                assignment.member_id.to_string(),
                Bytes::copy_from_slice(&assignment.assignment),
            )
        };
    let assignments = request.assignments.iter().map(copy).collect();
    let claim = Claim {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let protocol = (
        request.protocol_type.as_deref(),
        request.protocol_name.as_deref(),
    );
    let response = SyncGroupResponse::default();
    if let Err(error) = context.check() {
        return response.with_error_code(error.code());
    }
    let receiver = context.shared.with(|broker| {
        let now = broker.now();
        broker.groups.sync(
            &request.group_id,
            claim,
            protocol,
            assignments,
            &broker.topics,
            now,
        )
    });
    match receiver
        .await
        .unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
    {
        Ok(synced) if context.version >= 5 => response
            .with_protocol_type(Some(text(synced.protocol_type)))
            .with_protocol_name(Some(text(synced.protocol)))
            .with_assignment(synced.assignment),
        Ok(synced) => response.with_assignment(synced.assignment),
        Err(error) => response.with_error_code(error.code()),
    }
}
