//! JoinGroup: waits until the group's next generation begins.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::{Context, text};
use crate::groups::classic::member::{Join, JoinRefused, Joined};

pub(super) async fn handle(context: &Context<'_>, request: JoinGroupRequest) -> JoinGroupResponse {
    let member_id = request.member_id.to_string();
    if let Err(code) = context.check() {
        return refused(context.version, JoinRefused { code, member_id });
    }
    let receiver = context.shared.with(|broker| {
        let now = broker.now();
        let join = join(context, &request);
        broker.in_group(&request.group_id, |broker| {
            let (topics, settings) = (&broker.topics, &broker.settings);
            let groups = &mut broker.groups;
            groups.join(&request.group_id, join, topics, settings, now)
        })
    });
    // Nobody answers any more when the broker was restarted; the connection is cut then.
    let lost = |_| {
        Err(JoinRefused {
            code: ResponseError::CoordinatorNotAvailable,
            member_id,
        })
    };
    match receiver.await.unwrap_or_else(lost) {
        Ok(joined) => accepted(context.version, joined),
        Err(refusal) => refused(context.version, refusal),
    }
}

fn refused(version: i16, refusal: JoinRefused) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(refusal.code.code())
        .with_generation_id(-1)
        .with_protocol_name((version < 7).then(Default::default))
        .with_member_id(text(refusal.member_id))
}

fn join(context: &Context<'_>, request: &JoinGroupRequest) -> Join {
    // Names and subscriptions are copied, so that no frame is kept alive by them.
    let protocol =
        |protocol: &kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol| {
            (
                protocol.name.to_string(),
                Bytes::copy_from_slice(&protocol.metadata),
            )
        };
    // Version 0 has one timeout for both.
    let rebalance = if context.version == 0 {
        request.session_timeout_ms
    } else {
        request.rebalance_timeout_ms
    };
    Join {
        member_id: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(ToString::to_string),
        session_timeout: i64::from(request.session_timeout_ms),
        rebalance_timeout: i64::from(rebalance.max(0)),
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.iter().map(protocol).collect(),
        client_id: context.client_id.to_owned(),
        client_host: format!("/{}", context.host),
        asks_for_id: context.version >= 4,
        may_skip_assignment: context.version >= 9,
    }
}

fn accepted(version: i16, joined: Joined) -> JoinGroupResponse {
    let member = |(id, instance, metadata): (String, Option<String>, Bytes)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.map(text).filter(|_| version >= 5))
            .with_metadata(metadata)
    };
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(Some(text(joined.protocol_type)).filter(|_| version >= 7))
        .with_protocol_name(Some(text(joined.protocol)))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect())
}
